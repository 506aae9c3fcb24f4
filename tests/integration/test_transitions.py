"""Every transition of the state machine (the table is in docs/architecture.md), with real processes."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Answer, Jupyter, process_gone, wait_until, words_of
from sse import EventReader

CHILD = str(Path(__file__).parent / "children" / "child.py")
API = "server-proxy/api/servers/"


def child(*arguments: str) -> str:
    return repr([sys.executable, CHILD, "--port={port}", *arguments])


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], notes: Path) -> Jupyter:
    return start_jupyter(
        f"""
import os, pathlib
notes = pathlib.Path({str(notes)!r})
common = {{"timeout": 60, "restart_delay": 0.3}}
never = {{"timeout": 60, "restart_policy": "never"}}

async def flag(port):
    return (notes / "flag").exists()

def raises():
    raise RuntimeError("no idea")

c.ServerProxy.servers = {{
    "plain": {{"command": {child()}, **common}},
    "crowd": {{"command": {child("--family")}, **common}},
    "auto": {{"command": {child()}, "autostart": True, **common}},
    "always": {{"command": {child()}, "restart_policy": "always", **common}},
    "on-failure": {{"command": {child()}, "restart_policy": "on-failure", **common}},
    "never": {{"command": {child()}, **never}},
    "never-starts": {{"command": {child("--exit=3")}, **never}},
    "bad": {{"command": {child("--exit=3")}, "timeout": 60, "restart_delay": 2}},
    "bad-always": {{"command": {child("--exit=3")}, "restart_policy": "always", **common}},
    "delayed": {{"command": {child("--delay=4")}, **common}},
    "late": {{"command": {child("--delay=60")}, "timeout": 0.5}},
    "idle": {{"command": {child()}, "idle_timeout": 1.5, **common}},
    "talker": {{"command": ECHO, "idle_timeout": 1.5, "exclude_last_activity_patterns": [".*/poll"], **common}},
    "daemon": {{"command": {child("--daemon")}, **common}},
    "elsewhere": {{"command": {child("--elsewhere")}, "find_port": True, **common}},
    "flagged": {{"command": {child()}, "readiness": flag, **common}},
    "status": {{"command": ECHO, "readiness": {{"path": "/status/503", "statuses": ["5xx"]}}, **common}},
    "not-ready": {{"command": ECHO, "readiness": {{"path": "/status/503", "statuses": [200]}}, "timeout": 3}},
    "raises": {{"command": ECHO, "readiness": raises, "timeout": 3}},
    "there": {{"command": [sys.executable, "-c", "import os; print('I am in', os.getcwd(), flush=True)"],
               "cwd": notes, "timeout": 60}},
    "nowhere": {{"command": {child()}, "cwd": "/nonexistent"}},
    "stubborn": {{"command": {child("--stubborn")}, "stop_timeout": 0.5, **common}},
    "interrupted": {{"command": [sys.executable, "-c",
        "import signal, sys, http.server\\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('interrupted', flush=True), sys.exit(7)))\\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()",
        "{{port}}"], "stop_signal": "SIGINT", **common}},
    "elsewhere-managed": {{"port": 1}},
}}
"""
    )


@pytest.fixture
def events(jupyter: Jupyter) -> Iterator[EventReader]:
    reader = EventReader(jupyter, "server-proxy/api/events")
    wait_until(lambda: len(reader.of("state")) >= 20, "the states of all servers")
    yield reader
    reader.close()


def post(jupyter: Jupyter, name: str, action: str, wait: bool = False) -> Answer:
    return jupyter.request("POST", f"{API}{name}/{action}{'?wait=1' if wait else ''}", body=b"")


def state(jupyter: Jupyter, name: str) -> dict[str, Any]:
    answer = jupyter.get(API + name)
    assert answer.status == 200
    return answer.json()


def wait_state(jupyter: Jupyter, name: str, wanted: str) -> dict[str, Any]:
    return wait_until(lambda: (now := state(jupyter, name))["state"] == wanted and now, f"{name} to be {wanted}")


# ---- stopped -> starting -> ready -> stopping -> stopped


def test_a_request_starts_and_the_api_stops(jupyter: Jupyter, events: EventReader) -> None:
    pid = int(jupyter.get("plain/").text)
    ready = state(jupyter, "plain")
    assert (ready["state"], ready["pid"], ready["starts"], ready["restarts"]) == ("ready", pid, 1, 0)
    assert ready["endpoint"].startswith("http://127.0.0.1:")
    assert ready["process"]["count"] == 1
    assert ready["process"]["memory_bytes"] > 1_000_000
    assert ready["start_seconds"] > 0
    assert (ready["requests"], ready["errors"], ready["requests_open"]) == (1, 0, 0)
    assert ready["bytes_sent"] == len(str(pid))
    answer = post(jupyter, "plain", "stop")
    assert answer.status == 200
    assert answer.json()["state"] == "stopped"
    assert answer.json()["last_exit"]["signal"] == "SIGTERM"
    assert process_gone(pid)
    wait_until(lambda: events.states("plain")[-1:] == ["stopped"], "the last event")
    assert events.states("plain") == ["stopped", "starting", "ready", "stopping", "stopped"]
    stages = [data["stage"] for data in events.of("state") if data["name"] == "plain" and data["state"] == "starting"]
    assert stages[-1] == "answer"
    assert [stage for stage in stages if stage] == sorted(
        {stage for stage in stages if stage}, key=["process", "port", "answer"].index
    )


def test_start_and_restart_by_the_api(jupyter: Jupyter, events: EventReader) -> None:
    began = post(jupyter, "plain", "start")
    assert began.status == 202
    assert began.json()["state"] == "starting"
    first = wait_state(jupyter, "plain", "ready")
    again = post(jupyter, "plain", "start", wait=True)
    assert (again.status, again.json()["pid"]) == (200, first["pid"])  # it runs already
    restarted = post(jupyter, "plain", "restart", wait=True)
    assert restarted.status == 200
    assert restarted.json()["pid"] != first["pid"]
    assert restarted.json()["restarts"] == first["restarts"] + 1
    assert process_gone(first["pid"])
    assert post(jupyter, "plain", "stop").status == 200


def test_autostart(jupyter: Jupyter) -> None:
    found = wait_state(jupyter, "auto", "ready")
    assert found["requests"] == 0
    assert found["autostart"] is True


def test_ready_to_stopped_when_idle_and_back_at_the_next_request(jupyter: Jupyter) -> None:
    first = int(jupyter.get("idle/").text)
    time.sleep(1.0)
    assert int(jupyter.get("idle/").text) == first  # this was use
    wait_state(jupyter, "idle", "stopped")
    assert process_gone(first)
    assert int(jupyter.get("idle/").text) != first


# ---- starting -> stopped, starting -> failed


def test_stop_during_a_start(jupyter: Jupyter) -> None:
    assert post(jupyter, "delayed", "start").status == 202
    pid = wait_until(lambda: state(jupyter, "delayed")["pid"], "its process")
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(jupyter.get("delayed/")))
    waiting.start()
    time.sleep(0.2)
    assert post(jupyter, "delayed", "stop").json()["state"] == "stopped"
    waiting.join(10)
    assert process_gone(pid)
    assert answers[0].status == 503
    assert "was stopped while it was starting" in answers[0].text


def test_a_failed_start_and_its_pause(jupyter: Jupyter, events: EventReader) -> None:
    answer = jupyter.get("bad/")
    assert answer.status == 503
    failed = state(jupyter, "bad")
    assert failed["state"] == "failed"
    assert failed["failure"]["exit_code"] == 3
    assert failed["last_exit"] == {**failed["last_exit"], "code": 3, "signal": None}
    assert 0 < failed["failure"]["retry_after"] <= 2
    starts = failed["starts"]
    assert jupyter.get("bad/").status == 503
    assert state(jupyter, "bad")["starts"] == starts  # too early
    # People need not wait: the API starts it at once.
    assert post(jupyter, "bad", "start", wait=True).status == 503
    assert state(jupyter, "bad")["starts"] == starts + 1
    assert post(jupyter, "bad", "stop").json()["failure"] is None
    assert state(jupyter, "bad")["state"] == "stopped"
    events.wait_states("bad", "stopped", "starting", "failed", "starting", "failed", "stopped")


def test_a_start_that_takes_too_long(jupyter: Jupyter) -> None:
    answer = post(jupyter, "late", "start", wait=True)
    assert answer.status == 503
    assert "within 0.5 s" in answer.json()["message"]
    assert state(jupyter, "late")["pid"] is None


def test_a_directory_that_is_not_there(jupyter: Jupyter) -> None:
    assert "no directory '/nonexistent'" in post(jupyter, "nowhere", "start", wait=True).json()["message"]


# ---- its process ends by itself


@pytest.mark.behaviour("P4")
def test_on_request_a_request_brings_it_back(jupyter: Jupyter, events: EventReader) -> None:
    pid = int(jupyter.get("plain/").text)
    os.kill(pid, signal.SIGKILL)
    found = wait_state(jupyter, "plain", "stopped")
    assert found["last_exit"]["signal"] == "SIGKILL"
    events.settle(0.6)
    assert state(jupyter, "plain")["state"] == "stopped"
    assert int(jupyter.get("plain/").text) != pid
    assert state(jupyter, "plain")["restarts"] > found["restarts"]
    assert post(jupyter, "plain", "stop").status == 200


@pytest.mark.parametrize("name", ["always", "on-failure"])
def test_the_policy_brings_it_back_by_itself(jupyter: Jupyter, events: EventReader, name: str) -> None:
    first = int(jupyter.get(f"{name}/").text)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: state(jupyter, name)["pid"] not in (first, None), "another process")
    wait_state(jupyter, name, "ready")
    events.settle()
    assert events.states(name) == ["stopped", "starting", "ready", "stopping", "stopped", "starting", "ready"]
    assert post(jupyter, name, "stop").status == 200
    time.sleep(0.6)
    assert state(jupyter, name)["state"] == "stopped"  # it did not end by itself


def test_the_policy_tries_again_after_each_pause(jupyter: Jupyter, events: EventReader) -> None:
    assert post(jupyter, "bad-always", "start", wait=True).status == 503
    wait_until(lambda: events.states("bad-always").count("failed") >= 3, "three starts")
    times = [data["since"] for data in events.of("state") if data["name"] == "bad-always" and data["state"] == "failed"]
    assert times == sorted(times)
    assert post(jupyter, "bad-always", "stop").json()["state"] == "stopped"
    starts = state(jupyter, "bad-always")["starts"]
    time.sleep(1.5)
    assert state(jupyter, "bad-always")["starts"] == starts


def test_never_leaves_it_to_people(jupyter: Jupyter) -> None:
    first = int(jupyter.get("never/").text)
    os.kill(first, signal.SIGKILL)
    wait_state(jupyter, "never", "stopped")
    answer = jupyter.get("never/")
    assert answer.status == 503
    assert "not started again by itself" in answer.text
    assert "jupyter server-proxy start never" in answer.text
    assert post(jupyter, "never", "start", wait=True).status == 200
    assert jupyter.get("never/").status == 200
    assert jupyter.get("never-starts/").status == 503
    starts = state(jupyter, "never-starts")["starts"]
    time.sleep(1.2)
    assert jupyter.get("never-starts/").status == 503
    assert state(jupyter, "never-starts")["starts"] == starts


def test_a_daemon_whose_end_shows_without_a_request(jupyter: Jupyter) -> None:
    pid = int(jupyter.get("daemon/").text)
    assert state(jupyter, "daemon")["state"] == "ready"
    os.kill(pid, signal.SIGKILL)
    wait_state(jupyter, "daemon", "stopped")
    again = int(jupyter.get("daemon/").text)
    assert again != pid
    os.kill(again, signal.SIGKILL)


# ---- stopped by somebody


def test_pages_that_are_open_do_not_bring_back_what_was_stopped(jupyter: Jupyter) -> None:
    assert jupyter.get("plain/").status == 200
    assert post(jupyter, "plain", "stop").status == 200
    polling = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    for headers in (polling, {"Referer": "http://localhost/plain/"}, {"Origin": "http://localhost"}):
        answer = jupyter.get("plain/", headers=headers)
        assert answer.status == 503
        assert "was stopped" in answer.text
    assert state(jupyter, "plain")["state"] == "stopped"
    opened = jupyter.get("plain/", headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
    assert opened.status == 200
    assert jupyter.get("plain/", headers=polling).status == 200
    assert post(jupyter, "plain", "stop").status == 200
    assert jupyter.get("plain/").status == 200  # a program asks for it
    assert post(jupyter, "plain", "stop").status == 200


def test_the_signal_and_the_grace_period(jupyter: Jupyter) -> None:
    assert jupyter.get("interrupted/").status == 200
    assert post(jupyter, "interrupted", "stop").json()["last_exit"]["code"] == 7
    assert "interrupted" in [line["text"] for line in jupyter.get(API + "interrupted/logs").json()["lines"]]
    assert jupyter.get("stubborn/").status == 200
    began = time.monotonic()
    assert post(jupyter, "stubborn", "stop").json()["last_exit"]["signal"] == "SIGKILL"
    assert time.monotonic() - began >= 0.5


def test_what_is_not_ours_is_neither_started_nor_stopped(jupyter: Jupyter) -> None:
    for action in ("start", "stop", "restart"):
        assert post(jupyter, "elsewhere-managed", action).status == 409
    assert state(jupyter, "elsewhere-managed")["managed"] is False


# ---- when it is ready, and where


def test_readiness_by_a_callable(jupyter: Jupyter, notes: Path) -> None:
    assert post(jupyter, "flagged", "start").status == 202
    wait_until(lambda: state(jupyter, "flagged")["stage"] == "port", "its port")
    time.sleep(0.3)
    assert state(jupyter, "flagged")["state"] == "starting"
    (notes / "flag").touch()
    wait_state(jupyter, "flagged", "ready")


def test_readiness_by_a_path_and_statuses(jupyter: Jupyter) -> None:
    assert post(jupyter, "status", "start", wait=True).status == 200
    wrong = post(jupyter, "not-ready", "start", wait=True).json()
    assert "its answer to /status/503 has status 503" in wrong["message"]
    wrong = post(jupyter, "raises", "start", wait=True).json()
    assert "its option readiness raised RuntimeError: no idea" in wrong["message"]


@pytest.mark.behaviour("P10")
def test_find_port(jupyter: Jupyter) -> None:
    answer = jupyter.get("elsewhere/")
    assert answer.status == 200
    found = state(jupyter, "elsewhere")
    listens = psutil.Process(found["pid"]).net_connections("tcp")
    assert found["endpoint"] == f"http://127.0.0.1:{next(c.laddr.port for c in listens if c.status == 'LISTEN')}"
    assert "not on the one it was told" in jupyter.log()


def test_cwd(jupyter: Jupyter, notes: Path) -> None:
    threading.Thread(target=lambda: post(jupyter, "there", "start", wait=True), daemon=True).start()
    wait_until(lambda: f"I am in {notes}" in jupyter.get(API + "there/logs").text, "its output")
    assert post(jupyter, "there", "stop").status == 200


# ---- use


@contextlib.contextmanager
def websocket(jupyter: Jupyter, path: str) -> Iterator[socket.socket]:
    sock = jupyter.raw()
    sock.sendall(
        f"GET {jupyter.path(path)} HTTP/1.1\r\nHost: 127.0.0.1:{jupyter.port}\r\n"
        f"Authorization: token {jupyter.token}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert sock.recv(65536).startswith(b"HTTP/1.1 101")
    yield sock
    sock.close()


PING = bytes([0x89, 0x80, 1, 2, 3, 4])
TEXT = bytes([0x81, 0x81, 0, 0, 0, 0]) + b"x"


def test_messages_of_a_websocket_are_use_and_pings_are_not(jupyter: Jupyter) -> None:
    with websocket(jupyter, "talker/ws") as sock:
        pid = state(jupyter, "talker")["pid"]
        assert state(jupyter, "talker")["websockets_open"] == 1
        for _ in range(8):
            sock.sendall(TEXT)
            time.sleep(0.3)
        assert state(jupyter, "talker")["pid"] == pid
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20 and state(jupyter, "talker")["state"] == "ready":
                sock.sendall(PING)
                time.sleep(0.1)
        assert state(jupyter, "talker")["state"] in ("stopping", "stopped")
    wait_until(lambda: state(jupyter, "talker")["websockets_open"] == 0, "the websocket to be closed")


def test_what_is_excluded_is_no_use(jupyter: Jupyter) -> None:
    assert jupyter.get("talker/").status == 200
    began = time.monotonic()
    while time.monotonic() - began < 20 and state(jupyter, "talker")["state"] == "ready":
        jupyter.get("talker/poll", headers={"Sec-Fetch-Mode": "cors"})
        time.sleep(0.1)
    assert time.monotonic() - began < 20


def test_a_request_that_waits_for_its_response_is_use(jupyter: Jupyter) -> None:
    pid = jupyter.get("talker/").json()["pid"]
    answer = jupyter.get("talker/delay/3")
    assert answer.status == 200
    assert state(jupyter, "talker")["pid"] == pid


# ---- all at once

#: docs/architecture.md
ALLOWED = {
    ("stopped", "starting"), ("starting", "ready"), ("starting", "failed"), ("starting", "stopped"),
    ("ready", "stopping"), ("stopping", "stopped"), ("failed", "starting"), ("failed", "stopped"),
}  # fmt: skip


@pytest.mark.behaviour("P1", "P8")
def test_requests_and_calls_of_the_api_at_the_same_time(jupyter: Jupyter, events: EventReader) -> None:
    seen: set[int] = set()
    statuses: set[int] = set()

    def live(seed: int) -> None:
        dice = random.Random(seed)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            what = dice.choice(["get", "get", "get", "start", "stop", "restart", "kill"])
            if what == "get":
                answer = jupyter.get("crowd/")
                if answer.status == 200:
                    seen.add(int(answer.text))
            elif what == "kill":
                pid = state(jupyter, "crowd")["pid"]
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(pid, signal.SIGKILL)
                continue
            else:
                answer = post(jupyter, "crowd", what, wait=dice.random() < 0.5)
            statuses.add(answer.status)

    threads = [threading.Thread(target=live, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert statuses <= {200, 202, 502, 503}
    assert 200 in statuses
    assert post(jupyter, "crowd", "stop").json()["state"] == "stopped"
    wait_until(lambda: all(map(process_gone, seen)), "all of its processes to be gone")
    left = [process for process in jupyter.descendants() if "--family" in " ".join(words_of(process))]
    assert left == []
    told = events.states("crowd")
    assert len(told) > 5
    assert set(itertools.pairwise(told)) <= ALLOWED
    assert jupyter.get("crowd/").status == 200


def test_the_log_names_every_transition(jupyter: Jupyter) -> None:
    """The log, unlike the events, leaves nothing out."""
    steps = set()
    for line in jupyter.log().splitlines():
        words = line.partition("Server '")[2].partition("': ")[2].split(" -> ")
        if len(words) == 2 and {*words} <= {"stopped", "starting", "ready", "stopping", "failed"}:
            steps.add((words[0], words[1]))
    assert steps == ALLOWED
