"""What has happened to a server so far."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.supervise.chronicle import Chronicle
from jupyter_server_proxy.supervise.facts import Exit, Stage


def test_a_server_that_was_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 50.0)
    chronicle = Chronicle()
    assert chronicle.since == 50.0
    assert (chronicle.starts, chronicle.restarts, chronicle.stage) == (0, 0, None)
    assert (chronicle.start_seconds, chronicle.last_exit) == (None, None)
    assert not chronicle.ended_well


def test_a_state_is_dated_and_has_no_stage_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    chronicle = Chronicle()
    chronicle.reach(Stage.PORT)
    monkeypatch.setattr("time.time", lambda: 77.0)
    chronicle.enter_state()
    assert (chronicle.since, chronicle.stage) == (77.0, None)


def test_a_stage_is_news_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chronicle = Chronicle()
    since = chronicle.since
    assert [chronicle.reach(stage) for stage in (Stage.PROCESS, Stage.PROCESS, Stage.PORT, Stage.ANSWER)] == [
        True, False, True, True
    ]  # fmt: skip
    assert chronicle.stage is Stage.ANSWER
    assert chronicle.since == since, "a stage is no state"


def test_starts_and_restarts_are_counted_by_their_processes() -> None:
    chronicle = Chronicle()

    def start() -> None:
        chronicle.enter_state()
        for stage in (Stage.PROCESS, Stage.PROCESS, Stage.PORT, Stage.ANSWER):
            chronicle.reach(stage)

    start()
    assert (chronicle.starts, chronicle.restarts) == (1, 0)
    chronicle.is_restart = True
    chronicle.enter_state()  # this start has no process, so it counts as nothing
    assert (chronicle.starts, chronicle.restarts) == (1, 0)
    start()
    assert (chronicle.starts, chronicle.restarts) == (2, 1)
    start()  # asked for by somebody: only one start was a restart
    assert (chronicle.starts, chronicle.restarts) == (3, 1)


@pytest.mark.parametrize(("code", "well"), [(0, True), (1, False), (-15, False)])
def test_how_its_last_process_has_ended(code: int, well: bool) -> None:
    chronicle = Chronicle()
    chronicle.last_exit = Exit.of(code)
    assert chronicle.ended_well is well
