"""What others do wrong stays theirs: callables that hang or raise, uploads without end, streams that are left open."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest
from harness import Jupyter, process_gone, wait_until
from sse import EventReader

CONFIG = """
import time
from jupyter_server.auth import Authorizer
from tornado import web

class Own(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        asked = handler.request.headers.get("X-Raise")
        if asked == "http":
            raise web.HTTPError(403, "Not on Sundays.")
        if asked == "bug":
            raise RuntimeError("the s3cret of the authorizer")
        return True

c.ServerApp.authorizer_class = Own

def hosts(handler, host):
    raise RuntimeError("a bug")

def hang(port):
    time.sleep(3600)

c.ServerProxy.host_allowlist = hosts
servers = {f"hangs{n}": {"command": ECHO, "timeout": 1 if n else 8, "readiness": hang} for n in range(12)}
flood = "import os, sys\\ntry:\\n  while True: os.write(1, b'y\\\\n' * 50000)\\nfinally: pass"
servers["flood"] = {"command": [sys.executable, "-c", flood], "timeout": 60}
bursts = "import os\\nos.write(1, b'y\\\\n' * 200000 + b'the last line\\\\n')\\nraise SystemExit(3)"
servers["bursts"] = {"command": [sys.executable, "-c", bursts], "timeout": 60}
servers["idle"] = {"command": ECHO, "timeout": 60, "idle_timeout": 2}
c.ServerProxy.servers = servers
"""


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    jupyter: Jupyter = start_jupyter(CONFIG)
    return jupyter


def test_an_authorizer_that_raises_gives_an_answer(jupyter: Jupyter) -> None:
    assert jupyter.get("idle/x").status == 200
    answer = jupyter.get("idle/x", headers={"X-Raise": "http"})
    assert (answer.status, "Not on Sundays." in answer.text) == (403, True)
    answer = jupyter.get("idle/x", headers={"X-Raise": "bug"})
    assert (answer.status, "s3cret" in answer.text) == (500, False)
    assert "the s3cret of the authorizer" in jupyter.log()  # with its traceback, for the administrator
    upload = jupyter.request("POST", "idle/x", body=b"x" * 100_000, headers={"X-Raise": "bug"})
    assert upload.status == 500


def test_a_list_of_hosts_that_raises_lets_nobody_in(jupyter: Jupyter) -> None:
    assert jupyter.get("proxy/example.org:80/x").status == 500


@pytest.mark.behaviour("P7")
def test_an_upload_under_way_keeps_its_server(jupyter: Jupyter) -> None:
    """The application has answered already, and takes the body all the same."""
    pid = jupyter.get("idle/x").json()["pid"]
    sent = 0
    with socket.create_connection(("127.0.0.1", jupyter.port), timeout=30) as client:
        client.sendall(
            b"POST /idle/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            + f"Authorization: token {jupyter.token}\r\n\r\n".encode()
        )
        end = time.monotonic() + 5
        while time.monotonic() < end:
            client.sendall(b"4\r\nabcd\r\n")
            sent += 4
            time.sleep(0.1)
        client.sendall(b"0\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 200
        assert f'"length": {sent}'.encode() in response.read()
    assert jupyter.get("idle/x").json()["pid"] == pid


def test_streams_that_were_left_free_their_places(jupyter: Jupyter) -> None:
    readers = [EventReader(jupyter, "server-proxy/api/events") for _ in range(200)]
    wait_until(lambda: all(reader.response.status == 200 for reader in readers), "all places are taken")
    assert jupyter.get("server-proxy/api/events").status == 503
    for reader in readers:
        reader.close()

    def is_free() -> bool:
        connection = jupyter.connect(10)
        connection.request(
            "GET", jupyter.path("server-proxy/api/events"), headers={"Authorization": f"token {jupyter.token}"}
        )
        status = connection.getresponse().status
        connection.close()
        return status == 200

    wait_until(is_free, "a place is free at once", 5)


def test_output_without_end_holds_nothing_up(jupyter: Jupyter) -> None:
    headers = {"Authorization": f"token {jupyter.token}"}
    start = jupyter.connect(30)
    start.request("POST", jupyter.path("server-proxy/api/servers/flood/start"), headers=headers)
    assert start.getresponse().status == 202
    wait_until(lambda: jupyter.get("server-proxy/api/servers/flood/logs?tail=1").json()["next"] > 50_000, "its output")
    waits = []
    for _ in range(21):
        begun = time.monotonic()
        assert jupyter.get("api/status").status == 200
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[10] < 1.0, waits  # each was seconds
    wait_until(lambda: "more lines, which are in its own log" in jupyter.log(), "the count of what is left out")
    stop = jupyter.connect(30)
    stop.request("POST", jupyter.path("server-proxy/api/servers/flood/stop"), headers=headers)
    assert stop.getresponse().status == 200


def test_the_last_lines_of_much_output_are_there(jupyter: Jupyter) -> None:
    answer = jupyter.get("bursts/")
    assert answer.status == 503
    assert answer.text.rstrip().endswith("the last line"), answer.text[-300:]
    assert jupyter.get("server-proxy/api/servers/bursts/logs?tail=1").json()["next"] == 200_001


def test_callables_that_hang_hold_nothing_up(jupyter: Jupyter) -> None:
    """The last test: it stops Jupyter."""
    answers: list[int] = []
    begun = time.monotonic()
    threads = [threading.Thread(target=lambda n=n: answers.append(jupyter.get(f"hangs{n}/").status)) for n in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert jupyter.get("server-proxy/api/ports", timeout=20).status == 200  # needs a thread
    for thread in threads:
        thread.join(60)
    assert answers == [503] * 12
    assert time.monotonic() - begun < 50
    page = jupyter.get("hangs0/")
    assert "its option readiness has not answered in time" in page.text, page.text
    family = jupyter.descendants()
    jupyter.signal(signal.SIGTERM)
    assert jupyter.process.wait(30) is not None
    assert all(process_gone(one.pid) for one in family)
