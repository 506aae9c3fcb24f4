"""The bookkeeping of one request: its id, and whether it counts as use of the server and as activity of Jupyter."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.supervise.usage import Usage
from jupyter_server_proxy.web import meter as module
from jupyter_server_proxy.web.destinations import Handling
from jupyter_server_proxy.web.meter import Meter, request_id
from jupyter_server_proxy.web.runtime import ACTIVITY_KEY
from jupyter_server_proxy.web.traffic import Traffic

PING_OF_SERVER = b"\x89\x02hi"
PING_OF_CLIENT = b"\x89\x82\0\0\0\0hi"
MESSAGE_OF_SERVER = b"\x81\x02hi"
MESSAGE_OF_CLIENT = b"\x81\x82\0\0\0\0hi"


class FakeUsage(Usage):
    touches = 0

    def touch(self) -> None:
        self.touches += 1


class Lab:
    """What a meter is given; its time stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.traffic = Traffic()
        self.usage: FakeUsage | None = FakeUsage()
        self.settings: dict[str, Any] = {}
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def make(self, *, upgrade: str | None = None, path: str = "/app/x", **handling: Any) -> Meter:
        runtime: Any = SimpleNamespace(
            application=SimpleNamespace(settings=self.settings), log=logging.getLogger("test_meter")
        )
        request: Any = SimpleNamespace(path=path, method="GET")
        destination: Any = SimpleNamespace(handling=Handling(**handling), traffic=self.traffic, usage=self.usage)
        return Meter(runtime, request, destination, upgrade)

    @property
    def uses(self) -> int:
        assert self.usage is not None
        return self.usage.touches

    def take_activity(self) -> bool:
        """Whether Jupyter was told of activity since the last call."""
        return self.settings.get("last_activity_times", {}).pop(ACTIVITY_KEY, None) is not None


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(monkeypatch)


# ---- ids


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd", "Root=1-67891233-abcdef", "a.b_c:d/e+f=-", "x" * 128])
def test_harmless_ids_are_taken_over(given: str) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a,b", "a\n", "<b>", "caf\u00e9", "a;b", '"a"', "%0a", "a\r\nX: y"]
)
def test_others_are_replaced(given: str | None) -> None:
    new = request_id(given)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", new)
    assert request_id(new) == new


def test_new_ids_differ_and_share_what_names_this_process() -> None:
    first, second = request_id(None), request_id(None)
    assert first != second
    assert first.split("-")[0] == second.split("-")[0]


# ---- counters


def test_a_request_is_counted(lab: Lab) -> None:
    meter = lab.make()
    meter.begin()
    assert (lab.traffic.requests, lab.traffic.open, lab.traffic.websockets_open) == (1, 1, 0)
    meter.received(10)
    meter.received(5)
    meter.sent(7)
    lab.now += 0.2
    meter.end(200)
    assert (lab.traffic.open, lab.traffic.received, lab.traffic.sent) == (0, 15, 7)
    assert (lab.traffic.by_status, lab.traffic.errors) == ({200: 1}, 0)
    assert lab.traffic.latency.total == pytest.approx(0.2)


def test_an_upgrade_is_counted_apart(lab: Lab) -> None:
    meter = lab.make(upgrade="websocket")
    meter.begin()
    assert (lab.traffic.open, lab.traffic.websockets_open) == (0, 1)
    meter.streamed(True, MESSAGE_OF_CLIENT)
    meter.streamed(False, PING_OF_SERVER)
    meter.end(101)
    assert (lab.traffic.websockets_open, lab.traffic.received, lab.traffic.sent) == (0, 8, 4)


def test_an_excused_status_is_no_error(lab: Lab) -> None:
    """The page that tells that a server is starting has a status of 503."""
    for excuse in (True, False):
        meter = lab.make()
        meter.begin()
        if excuse:
            meter.excuse()
        meter.end(503)
    assert (lab.traffic.by_status, lab.traffic.errors) == ({503: 2}, 1)


# ---- requests that wait


def test_a_request_waits_until_its_response_begins(lab: Lab) -> None:
    assert lab.usage is not None
    first, second = lab.make(), lab.make()
    first.begin()
    second.begin()
    assert lab.usage.waiting == 2
    first.answered()
    first.answered()
    assert lab.usage.waiting == 1
    first.end(200)
    assert lab.usage.waiting == 1
    second.end(499)
    assert lab.usage.waiting == 0, "it never had a response"


def test_destinations_that_nobody_stops_have_no_usage(lab: Lab) -> None:
    lab.usage = None
    meter = lab.make()
    meter.begin()
    meter.sent(1)
    meter.answered()
    meter.end(200)
    assert lab.take_activity()


# ---- use and activity


def test_a_request_is_use_and_activity_at_its_beginning_and_its_end(lab: Lab) -> None:
    meter = lab.make()
    meter.begin()
    assert (lab.uses, lab.take_activity()) == (1, True)
    lab.now += 3600
    assert (lab.uses, lab.take_activity()) == (1, False), "a response that does not come is none"
    meter.end(200)
    assert (lab.uses, lab.take_activity()) == (2, True)


def test_the_bytes_of_a_long_response_are_use_told_once_a_second(lab: Lab) -> None:
    meter = lab.make()
    meter.begin()
    for _ in range(100):
        meter.sent(1)
    assert lab.uses == 1
    lab.now += 1.0
    for _ in range(100):
        meter.sent(1)
    assert lab.uses == 2
    lab.now += 0.9
    meter.sent(1)
    assert lab.uses == 2


def test_activity_is_told_with_its_time_zone(lab: Lab) -> None:
    """Jupyter Server compares it with its own times."""
    lab.make().begin()
    told = lab.settings["last_activity_times"][ACTIVITY_KEY]
    assert told.utcoffset().total_seconds() == 0


def test_requests_that_are_never_activity_of_jupyter_are_use_of_the_server(lab: Lab) -> None:
    meter = lab.make(update_last_activity=False)
    meter.begin()
    lab.now += 5
    meter.end(200)
    assert (lab.uses, lab.take_activity()) == (2, False)


def test_a_request_that_is_over_at_once_is_told_once(lab: Lab) -> None:
    meter = lab.make()
    meter.begin()
    lab.now += 0.9
    meter.end(200)
    assert lab.uses == 1


@pytest.mark.parametrize("update_last_activity", [True, False])
def test_excluded_paths_are_neither(lab: Lab, update_last_activity: bool) -> None:
    patterns = (re.compile("/app/poll"),)

    def run(path: str) -> tuple[int, bool]:
        assert lab.usage is not None
        lab.usage.touches = 0
        meter = lab.make(
            path=path, exclude_last_activity_patterns=patterns, update_last_activity=update_last_activity
        )  # fmt: skip
        meter.begin()
        lab.now += 5
        meter.sent(1)
        meter.end(200)
        return lab.uses, lab.take_activity()

    assert run("/app/poll?x") == (0, False)
    assert run("/app/x") == (2, update_last_activity)


@pytest.mark.parametrize("answer", [True, False])
def test_a_callable_decides_about_each_request(lab: Lab, answer: bool) -> None:
    asked: list[str] = []

    def decide(request: Any) -> bool:
        asked.append(request.path)
        return answer

    meter = lab.make(update_last_activity=decide)
    meter.begin()
    assert (lab.uses, lab.take_activity()) == (int(answer), answer)
    lab.now += 5
    meter.sent(1)
    meter.end(200)
    assert lab.take_activity() is answer
    assert asked == ["/app/x"], "once"


def test_a_callable_that_fails_breaks_no_request(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: Any) -> bool:
        raise KeyError("x")

    lab.make(update_last_activity=fail).begin()
    assert (lab.uses, lab.take_activity()) == (1, True)
    assert "update_last_activity failed" in caplog.text


# ---- websockets


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
def test_messages_of_websockets_are_use_in_both_directions_and_pings_are_not(lab: Lab, upgrade: str) -> None:
    meter = lab.make(upgrade=upgrade)
    meter.begin()
    uses = lab.uses
    for from_client, data, counts in (
        (True, PING_OF_CLIENT, False),
        (False, PING_OF_SERVER, False),
        (False, MESSAGE_OF_SERVER, True),
        (True, MESSAGE_OF_CLIENT, True),
        (False, PING_OF_SERVER * 3, False),
        (False, PING_OF_SERVER + MESSAGE_OF_SERVER, True),
    ):
        lab.now += 5
        meter.streamed(from_client, data)
        uses += counts
        assert lab.uses == uses, data


def test_the_directions_are_walked_apart(lab: Lab) -> None:
    """A frame of the client may be under way while the server sends."""
    meter = lab.make(upgrade="websocket")
    meter.begin()
    lab.now += 5
    meter.streamed(True, MESSAGE_OF_CLIENT[:3])
    lab.now += 5
    uses = lab.uses
    meter.streamed(False, PING_OF_SERVER)
    assert lab.uses == uses
    meter.streamed(True, MESSAGE_OF_CLIENT[3:])
    assert lab.uses == uses + 1


def test_bytes_of_other_protocols_are_use(lab: Lab) -> None:
    meter = lab.make(upgrade="spdy/3.1")
    meter.begin()
    lab.now += 5
    meter.streamed(False, PING_OF_SERVER)
    assert lab.uses == 2


def test_what_a_raw_socket_sends_is_use_though_it_looks_like_a_ping(lab: Lab) -> None:
    meter = lab.make(upgrade="websocket")
    meter.begin()
    meter.without_frames_of_server()
    lab.now += 5
    meter.streamed(False, PING_OF_SERVER)
    assert lab.uses == 2
    lab.now += 5
    meter.streamed(True, PING_OF_CLIENT)
    assert lab.uses == 2, "those of the client are frames"
    other = lab.make(upgrade="other")
    other.without_frames_of_server()


def test_messages_of_an_excluded_websocket_are_no_use(lab: Lab) -> None:
    meter = lab.make(upgrade="websocket", exclude_last_activity_patterns=(re.compile(".*"),))
    meter.begin()
    lab.now += 5
    meter.streamed(True, MESSAGE_OF_CLIENT)
    assert lab.uses == 0
