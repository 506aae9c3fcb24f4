"""What keeps a server from being started: pauses after failures, and somebody who has stopped it."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.errors import ServerMisconfigured, ServerUnavailable, StartFailed
from jupyter_server_proxy.rules.spec import LifecycleSpec
from jupyter_server_proxy.supervise.setbacks import Hold, Setbacks


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def setbacks(clock: Clock) -> Setbacks:
    return Setbacks("app", LifecycleSpec(restart_delay=2.0, restart_delay_max=10.0, stable_after=30.0), clock)


FAILED = StartFailed("It exited.", exit_code=3, output=("bye",), detail="for the log")


def refusal_of(setbacks: Setbacks, *, background: bool = False) -> Exception | None:
    return setbacks.refusal(("last", "words"), 7, background=background)


def test_a_new_server_may_start_at_once(setbacks: Setbacks) -> None:
    assert setbacks.pause_left() is None
    assert setbacks.failure is None
    assert setbacks.error() is None
    assert refusal_of(setbacks) is None
    assert refusal_of(setbacks, background=True) is None


@pytest.mark.behaviour("P3")
def test_the_pause_doubles_with_each_failed_start_up_to_a_bound(setbacks: Setbacks) -> None:
    pauses = []
    for _ in range(5):
        setbacks.start_failed(FAILED, "run")
        pauses.append(setbacks.pause_left())
    assert pauses == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_the_pause_ends_by_itself(setbacks: Setbacks, clock: Clock) -> None:
    setbacks.start_failed(FAILED, "run")
    clock.now += 1.5
    assert setbacks.pause_left() == 0.5
    assert refusal_of(setbacks) is not None
    clock.now += 0.5
    assert setbacks.pause_left() is None
    assert refusal_of(setbacks) is None


@pytest.mark.behaviour("P3")
def test_the_first_end_of_a_server_that_was_ready_is_forgiven(setbacks: Setbacks) -> None:
    pauses = []
    for _ in range(4):
        setbacks.ended(29.9)
        pauses.append(setbacks.pause_left())
    assert pauses == [None, 2.0, 4.0, 8.0]


def test_a_server_that_was_ready_for_long_starts_from_scratch(setbacks: Setbacks) -> None:
    for _ in range(3):
        setbacks.start_failed(FAILED, "run")
    setbacks.ended(30.0)
    assert setbacks.pause_left() is None
    setbacks.start_failed(FAILED, "run")
    assert setbacks.pause_left() == 2.0


def test_a_start_that_begins_does_not_forget_how_many_have_failed(setbacks: Setbacks) -> None:
    setbacks.start_failed(FAILED, "run")
    setbacks.hold = Hold.BACKGROUND
    setbacks.begin()
    assert (setbacks.hold, setbacks.error(), setbacks.failure) == (Hold.NOTHING, None, None)
    setbacks.start_failed(FAILED, "run")
    assert setbacks.pause_left() == 4.0


def test_forgetting_forgets_everything(setbacks: Setbacks) -> None:
    setbacks.start_failed(FAILED, "run")
    setbacks.hold = Hold.REQUESTS
    setbacks.forget()
    assert (setbacks.hold, setbacks.pause_left(), setbacks.error(), setbacks.failure) == (
        Hold.NOTHING,
        None,
        None,
        None,
    )
    setbacks.start_failed(FAILED, "run")
    assert setbacks.pause_left() == 2.0


@pytest.mark.behaviour("P9")
def test_the_failure_is_told_with_the_time_that_is_left(
    setbacks: Setbacks, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    setbacks.start_failed(FAILED, "run --token=***")
    clock.now += 0.5
    failure = setbacks.failure
    assert failure is not None
    assert (failure.message, failure.exit_code, failure.output) == ("It exited.", 3, ("bye",))
    assert (failure.command, failure.time, failure.retry_after) == ("run --token=***", 1_700_000_000.0, 1.5)
    clock.now += 100
    assert setbacks.failure is not None
    assert setbacks.failure.retry_after is None


def test_the_error_is_a_fresh_one_each_time(setbacks: Setbacks, clock: Clock) -> None:
    """Errors that are raised gather tracebacks; and the time that is left differs."""
    setbacks.start_failed(FAILED, "run")
    first = setbacks.error()
    clock.now += 1
    second = setbacks.error()
    assert isinstance(first, StartFailed)
    assert isinstance(second, StartFailed)
    assert first is not second
    assert first is not FAILED
    assert (second.message, second.exit_code, second.output, second.detail) == (
        "It exited.", 3, ("bye",), "for the log"
    )  # fmt: skip
    assert (first.retry_after, second.retry_after) == (2.0, 1.0)
    clock.now += 10
    last = setbacks.error()
    assert last is not None
    assert last.retry_after == 0.0


def test_errors_of_other_kinds_stay_what_they_are(setbacks: Setbacks) -> None:
    setbacks.start_failed(ServerMisconfigured("No command.", detail="callable"), "")
    error = setbacks.error()
    assert type(error) is ServerMisconfigured
    assert (error.message, error.detail, error.retry_after, error.status) == ("No command.", "callable", 2.0, 500)
    assert setbacks.failure is not None
    assert (setbacks.failure.exit_code, setbacks.failure.output) == (None, ())


def test_a_refusal_during_the_pause_tells_the_error_of_the_start_again(setbacks: Setbacks) -> None:
    setbacks.start_failed(FAILED, "run")
    refusal = refusal_of(setbacks)
    assert isinstance(refusal, StartFailed)
    assert (refusal.message, refusal.retry_after) == ("It exited.", 2.0)


def test_a_refusal_after_a_server_has_ended_again_and_again_names_it(setbacks: Setbacks) -> None:
    setbacks.ended(1.0)
    setbacks.ended(1.0)
    refusal = refusal_of(setbacks)
    assert isinstance(refusal, StartFailed)
    assert "'app' keeps ending soon" in refusal.message
    assert (refusal.output, refusal.retry_after) == (("last", "words"), 2.0)


def test_what_somebody_has_stopped_is_not_brought_back_by_pages_that_are_open(setbacks: Setbacks) -> None:
    setbacks.hold = Hold.BACKGROUND
    refusal = refusal_of(setbacks, background=True)
    assert type(refusal) is ServerUnavailable
    assert "'app' was stopped. Open it anew" in refusal.message
    assert refusal_of(setbacks) is None


@pytest.mark.parametrize("background", [False, True])
def test_policy_never_leaves_it_to_people(setbacks: Setbacks, background: bool) -> None:
    setbacks.hold = Hold.REQUESTS
    refusal = refusal_of(setbacks, background=background)
    assert isinstance(refusal, StartFailed)
    assert "jupyter server-proxy start app" in refusal.message
    assert (refusal.exit_code, refusal.output, refusal.retry_after) == (7, ("last", "words"), None)


def test_policy_never_tells_why_a_start_failed_also_after_the_pause(setbacks: Setbacks, clock: Clock) -> None:
    setbacks.start_failed(FAILED, "run")
    setbacks.hold = Hold.REQUESTS
    clock.now += 100
    refusal = refusal_of(setbacks)
    assert isinstance(refusal, StartFailed)
    assert refusal.message == "It exited."
