"""docs/troubleshooting.md: what it quotes is what people see. Each of these failures is made to happen."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Jupyter, Listener, background, free_port, listens

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8").split())

PYTHON = sys.executable
HTTP = "import http.server as h, sys; h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler)"

#: Reads a request, and closes.
CLOSING = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    client.recv(65536)
    client.close()
"""

#: By what the page says of it: a server that fails in this way.
FAILURES = {
    "If it needs more time, raise its timeout.": [PYTHON, "-c", "import time; time.sleep(60)"],
    "It listens on port": [PYTHON, "-c", f"{HTTP}.serve_forever()", "{elsewhere}"],
    "Its command has ended with status 0.": [PYTHON, "-c", ""],
    "That port was taken already by": [PYTHON, "-c", "import time; time.sleep(60)"],
    "was not ready within": [PYTHON, "-c", f"{HTTP}.serve_forever()", "{port}"],
    "exited with status 1 while it was starting": [PYTHON, "-c", "raise SystemExit(1)"],
    "was ended by SIGKILL while it was starting": [PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"],
    "there is no program '": ["no-such-program-anywhere"],
}

#: By what the page says of it: a path, and the status.
ADDRESSES = {
    "Host 'NAME' is not allowed.": ("proxy/elsewhere.example:80/", 403),
    "Port 22 is not allowed.": ("proxy/22/", 403),
    "Nothing answers on localhost:8000.": ("proxy/{free}/", 502),
    "closed the connection before its response was complete": ("proxy/{closing}/", 502),
}


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that this process has."""
    listener = Listener()
    yield listener.port
    listener.close()


@pytest.fixture(scope="module")
def jupyter(start_jupyter, taken: int) -> Jupyter:
    servers = {}
    for number, (said, command) in enumerate(FAILURES.items()):
        words = [word.replace("{elsewhere}", str(free_port())) for word in command]
        server: dict[str, object] = {"command": words, "timeout": 3}
        if said.startswith("That port"):
            server["port"] = taken
        if said.startswith("was not ready"):
            server["readiness"] = {"path": "/not-there", "statuses": [200]}
        servers[f"s{number}"] = server
    config = f"c.ServerProxy.servers = {servers!r}\nc.ServerProxy.port_denylist = [22]\n"
    return start_jupyter(config)


@pytest.mark.parametrize("said", FAILURES)
def test_starts_that_fail(jupyter: Jupyter, said: str) -> None:
    answer = jupyter.get(f"s{list(FAILURES).index(said)}/")
    assert answer.status == 503
    assert said in answer.text
    assert said in PAGE


def generalized(text: str) -> str:
    """Without what is an example: names, and numbers of ports."""
    return re.sub(r"'[\w.]+'|\d{2,}", "_", text)


@pytest.mark.parametrize("said", ADDRESSES)
def test_addresses_that_fail(jupyter: Jupyter, said: str) -> None:
    path, status = ADDRESSES[said]
    with background([PYTHON, "-c", CLOSING, str(port := free_port())], lambda: listens(port)):
        answer = jupyter.get(path.format(free=free_port(), closing=port))
    assert answer.status == status
    assert generalized(said) in generalized(answer.text)
    assert said in PAGE


def test_what_the_doctor_says_of_a_taken_port(jupyter: Jupyter, taken: int) -> None:
    from jupyter_server_proxy.supervise.ownership import describe_listener

    assert re.fullmatch(r"process \d+ \([\w. -]+\)", describe_listener(taken))
    assert re.search(r"`Port \d+ is taken by process \d+ \(python3\)\.`", PAGE)


def test_403_of_those_who_are_not_logged_in(jupyter: Jupyter) -> None:
    answer = jupyter.request("GET", "proxy/22/", login=False)
    assert (answer.status, answer.text.strip()) == (403, "Not logged in.")
    assert "| Not logged in. |" in PAGE
