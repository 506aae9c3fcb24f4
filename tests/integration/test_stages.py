"""Whatever happens, wherever an exchange is: what the client sees, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fault import NONE, Action, Fault, FaultProxy
from harness import APPS, Jupyter, background, free_port, listens, process_gone, wait_until
from wire import Wire, connect

# Rows: where an exchange is. Columns: what then happens. Cells: what the client sees.
#
#   200, 502, ...   that response, whole
#   200 cut         a response that has begun, and visibly is not whole
#   silent, 200     nothing while the origin server is frozen, for no timeout cuts a stream; the rest when it goes on
#   closed, reset   the end of its connection, without a response
#   again, 200      nothing until the server of ours, which was started again, has got the request once more
#   left            it is the client that leaves: the origin server notices
#
# A server of ours that was killed is started again for a request that nobody has received yet: hence the 200s. One that
# is safe to repeat, and of whose response nothing has come, is sent once more, but not to a server that lives.
MATRIX = """
                | killed     | frozen      | RST from backend | RST from client | client gone | Jupyter stopping
connect         | 200        | 504         | 502              | left            | left        | closed
request head    | again, 200 | 504         | 502              | left            | left        | closed
request body    | 502        | 504         | 502              | left            | left        | closed
response head   | 502        | 504         | 502              | left            | left        | closed
mid-body        | 200 cut    | silent, 200 | 200 cut          | left            | left        | 200 cut
chunk boundary  | 200 cut    | silent, 200 | 200 cut          | left            | left        | 200 cut
idle keep-alive | 200        | 504         | 200              | left            | left        | closed
handshake       | again, 101 | 504         | 502              | left            | left        | closed
upgraded        | closed     | silent, 101 | reset            | left            | left        | reset
"""

STAGED = [sys.executable, str(APPS / "staged.py"), "--port={port}"]

#: Seconds; larger than the first pause of TCP before it repeats a SYN that nobody has answered.
CONNECT_TIMEOUT = 3.0
RESPONSE_TIMEOUT = 1.0


def parse_matrix() -> tuple[list[str], list[str], dict[tuple[str, str], str]]:
    header, *rows = ([cell.strip() for cell in line.split("|")] for line in MATRIX.strip("\n").splitlines())
    cells = {(row[0], fault): outcome for row in rows for fault, outcome in zip(header[1:], row[1:], strict=True)}
    return [row[0] for row in rows], header[1:], cells


STAGES, FAULTS, CELLS = parse_matrix()


def matrix(*faults: str) -> Any:
    """Every cell of some columns."""
    cells = [
        pytest.param(stage, fault, CELLS[stage, fault], id=f"{stage} - {fault}") for fault in faults for stage in STAGES
    ]
    return pytest.mark.parametrize(("stage", "fault", "expected"), cells)


# ---- what Jupyter holds on to


def state_of(jupyter: Jupyter) -> dict[str, Any]:
    """See ``apps/debug_state.py``."""
    return dict(jupyter.get("debug/state").json())


@dataclass
class Holdings:
    """What must be the same afterwards; a connection that waits in the pool is no loss, so it is not counted."""

    jupyter: Jupyter
    before: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.before = wait_until(self._at_rest, "Jupyter to come to rest")

    def _at_rest(self) -> dict[str, Any] | None:
        first, second = state_of(self.jupyter), state_of(self.jupyter)
        return second if self._counts(first) == self._counts(second) and not second["journeys"] else None

    @staticmethod
    def _counts(state: dict[str, Any]) -> dict[str, int]:
        return {
            "descriptors": len(state["descriptors"]) - state["idle"],
            "tasks": len(state["tasks"]),
            "children": state["children"],
            "journeys": state["journeys"],
            "connections in use": state["inside"],
            "requests in line": state["in_line"],
        }

    def check(self) -> None:
        """Wait until everything is as before."""
        after: dict[str, Any] = {}

        def same() -> bool:
            after.update(state_of(self.jupyter))
            return self._counts(after) == self._counts(self.before)

        try:
            wait_until(same, "everything to be as before", timeout=10)
        except AssertionError:
            pytest.fail(f"before: {self._counts(self.before)}\n{self.before}\nafter: {self._counts(after)}\n{after}")


@contextlib.contextmanager
def leaving_nothing(jupyter: Jupyter) -> Iterator[None]:
    """Everything must be as before in the end."""
    holdings = Holdings(jupyter)
    yield
    holdings.check()


# ---- one exchange, up to a stage


class Exchange:
    """A client on its way to a stage, and the process behind the proxy.

    Args:
        jupyter: where to.
        server: its name in the configuration.
        stage: a row of the matrix.
        from_client: the request head is interrupted in the client, and not on its way to the origin server.
    """

    def __init__(self, jupyter: Jupyter, server: str, stage: str, *, from_client: bool) -> None:
        self.jupyter = jupyter
        self.server = server
        self.stage = stage
        self.interrupted = from_client and stage == "request head"
        self.pid = int(jupyter.get(f"{server}/ok").json()["pid"])
        self.port = port_of(self.pid)
        self.client = connect(jupyter, f"{server}/")
        self.said: dict[str, Any] = {}
        self._queue: list[socket.socket] = []

    def reach(self) -> None:
        """Go to the stage; returns when it is certain to be reached."""
        getattr(self, "_to_" + self.stage.replace(" ", "_").replace("-", "_"))()

    def see(self) -> str:
        """What the client sees, after it has sent what it still had to send."""
        try:
            if self.stage == "request head" and self.interrupted:
                self.client.send("X-More: 1", "", "")
            elif self.stage == "request body":
                self.client.send("5", "67890", "0", "", "")
            elif self.stage == "idle keep-alive":
                self._get("keep")
            elif self.stage == "upgraded":
                return self._see_upgraded()
        except ConnectionError:
            pass  # it is closed already; is there a response all the same?
        return outcome(self.client)[0]

    def silent(self) -> bool:
        """Whether nothing comes for longer than a response may take to begin, after what has come already."""
        come = b"" if self.stage == "upgraded" else self.client.read_until(b"12345")
        if self.stage == "chunk boundary":
            come += self.client.read_until(b"\r\n")
        silent = self.client.silent(RESPONSE_TIMEOUT * 1.5)
        self.client.unread(come)
        return silent

    def waiting(self) -> list[str]:
        """Where the origin server's connections are; asked without the proxy."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sock:
            wire = Wire(sock)
            wire.send("GET /ok HTTP/1.1", "Host: x", "", "")
            self.said = json.loads(wire.response().body)
            return list(self.said["waiting"])

    def find_restarted(self) -> None:
        """Wait until another process has got the same request."""
        killed = self.pid
        wait_until(lambda: process_gone(killed), "the process to be gone")
        wait_until(lambda: self._asked_again("/" + self.stage.replace(" ", "-")), "it to be sent the request")
        self.pid = self.said["pid"]

    def _asked_again(self, place: str) -> bool:
        try:
            return self.waiting() == [place]
        except (AssertionError, OSError):
            return False  # the other one does not listen yet

    def freeze(self) -> None:
        """Stop the process; returns when the last of its threads stands still."""
        self.signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.pid}/task")
        wait_until(
            lambda: all((thread / "stat").read_text().rpartition(") ")[2][0] == "T" for thread in threads.iterdir()),
            "the process to stand still",
        )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def close(self) -> None:
        self.client.close()
        for sock in self._queue:
            sock.close()

    # ---- stages

    def _get(self, path: str, *fields: str) -> None:
        self.client.send(f"GET {{path}}{path} HTTP/1.1", "Host: {host}", "{auth}", *fields, "", "")

    def _wait_for(self, place: str) -> None:
        wait_until(lambda: place in self.waiting(), f"the origin server to be at {place}")

    def _to_connect(self) -> None:
        """The origin server accepts nobody, and its queue is full: a connection attempt gets no answer at all."""
        wait_until(lambda: state_of(self.jupyter)["idle"] == 0, "the pool to be empty")
        inside = state_of(self.jupyter)["inside"]
        self.freeze()
        while self._connects():
            pass
        self._get("ok")
        wait_until(lambda: state_of(self.jupyter)["inside"] > inside, "Jupyter to try to connect")

    def _connects(self) -> bool:
        sock = socket.socket()
        self._queue.append(sock)
        sock.settimeout(0.3)
        try:
            sock.connect(("127.0.0.1", self.port))
        except TimeoutError:
            sock.close()
            return False
        return True

    def _to_request_head(self) -> None:
        if self.interrupted:
            self.client.send("GET {path}ok HTTP/1.1", "Host: {host}", "{auth}", "X-Ha")
            return
        self._get("request-head")
        self._wait_for("/request-head")

    def _to_request_body(self) -> None:
        self.client.send("POST {path}request-body HTTP/1.1", "Host: {host}", "{auth}", "Transfer-Encoding: chunked", "")
        self.client.send("", "5", "12345", "")
        self._wait_for("/request-body")

    def _to_response_head(self) -> None:
        self._get("response-head")
        self._wait_for("/response-head")

    def _to_mid_body(self) -> None:
        self._get("mid-body")
        self._wait_for("/mid-body")

    def _to_chunk_boundary(self) -> None:
        self._get("chunk-boundary")
        self._wait_for("/chunk-boundary")

    def _to_idle_keep_alive(self) -> None:
        self._get("keep")
        assert self.client.response().status == 200
        wait_until(lambda: state_of(self.jupyter)["idle"], "the connection to be in the pool")

    def _to_handshake(self) -> None:
        self._get("handshake", "Connection: Upgrade", "Upgrade: mirror")
        self._wait_for("/handshake")

    def _to_upgraded(self) -> None:
        self._get("upgraded", "Connection: Upgrade", "Upgrade: mirror")
        assert self.client.response().status == 101
        self.client.send("ping")
        assert self.client.read(4) == b"ping"

    def _see_upgraded(self) -> str:
        try:
            data = self.client.sock.recv(4)
        except ConnectionError:
            return "reset"
        return {b"": "closed", b"more": "101"}[data]


def outcome(client: Wire) -> tuple[str, bytes | None]:
    """What a client sees, and the body of a response of 200."""
    try:
        response = client.response()
    except (AssertionError, ConnectionError):
        return "closed", None
    body = response.body if response.status == 200 else None
    return (str(response.status) if response.complete else f"{response.status} cut"), body


def port_of(pid: int) -> int:
    """The port of an origin server, of which its command line tells."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return int(next(word for word in words if word.startswith("--port=")).removeprefix("--port="))


# ---- the matrix


def configuration(faulty_port: int = 0) -> str:
    """A server of its own for each cell in which it is killed: one that is killed again and again has to wait."""
    names = ["staged", "full", "hasty", *(f"killed-{number}" for number in range(len(STAGES)))]
    servers: dict[str, dict[str, Any]] = {name: {"command": STAGED} for name in names}
    servers["hasty"]["response_timeout"] = RESPONSE_TIMEOUT
    if faulty_port:
        servers["faulty"] = {"port": faulty_port, "response_timeout": RESPONSE_TIMEOUT}
    return f"""
c.ServerApp.extra_services = ["debug_state"]
c.ServerProxy.servers = {servers!r}
c.ServerProxy.connect_timeout = {CONNECT_TIMEOUT}
c.ServerProxy.keepalive_timeout = 2.0
"""


ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(filter(None, [str(APPS), os.environ.get("PYTHONPATH")]))}


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultProxy]:
    """Between Jupyter and an origin server that no proxy manages."""
    port = free_port()
    with background([*STAGED[:-1], f"--port={port}"], lambda: listens(port)):
        proxy = FaultProxy(port)
        yield proxy
        proxy.close()


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], faults: FaultProxy) -> Jupyter:
    server = start_jupyter(configuration(faults.port), environment=ENVIRONMENT)
    server.get("staged/ok")  # with the first server comes the process that outlives Jupyter to clean up after it
    wait_until(lambda: len(state_of(server)["tasks"]) == 2, "Jupyter's own start to be over")
    return server


@pytest.fixture
def begin(jupyter: Jupyter) -> Iterator[Callable[..., Exchange]]:
    """Brings an exchange to a stage; checks what is left in the end."""
    begun: list[tuple[Exchange, Holdings]] = []

    def begin_exchange(stage: str, server: str = "staged", *, from_client: bool = False) -> Exchange:
        jupyter.get(f"{server}/ok")
        holdings = Holdings(jupyter)
        exchange = Exchange(jupyter, server, stage, from_client=from_client)
        begun.append((exchange, holdings))
        exchange.reach()
        return exchange

    yield begin_exchange
    for exchange, holdings in begun:
        exchange.close()
        with contextlib.suppress(ProcessLookupError):
            exchange.signal(signal.SIGCONT)
            exchange.signal(signal.SIGUSR2)
        assert jupyter.get(f"{exchange.server}/ok").status == 200
        holdings.check()


@pytest.mark.behaviour("H8", "H18", "H20")
@matrix("killed")
def test_backend_killed(begin: Callable[..., Exchange], stage: str, fault: str, expected: str) -> None:
    exchange = begin(stage, f"killed-{STAGES.index(stage)}")
    exchange.signal(signal.SIGKILL)
    if expected.startswith("again, "):
        exchange.find_restarted()
        exchange.signal(signal.SIGUSR2)
        expected = expected.removeprefix("again, ")
    assert exchange.see() == expected


@pytest.mark.behaviour("H20")
@matrix("frozen")
def test_backend_frozen(begin: Callable[..., Exchange], stage: str, fault: str, expected: str) -> None:
    exchange = begin(stage, "hasty")
    exchange.freeze()
    if expected.startswith("silent, "):
        assert exchange.silent()
        exchange.signal(signal.SIGCONT)
        exchange.signal(signal.SIGUSR2)
        expected = expected.removeprefix("silent, ")
        if stage == "upgraded":
            exchange.client.send("more")
    assert exchange.see() == expected


@pytest.mark.behaviour("H8", "H18", "H20", "W8")
@matrix("RST from backend")
def test_reset_by_backend(
    jupyter: Jupyter, faults: FaultProxy, begin: Callable[..., Exchange], stage: str, fault: str, expected: str
) -> None:
    if stage == "connect":  # accepted, and reset before a byte was sent
        with leaving_nothing(jupyter), planned(faults, toward_client=Fault(0, Action.RST)):
            assert result(jupyter, "ok") == (expected, None)
        return
    exchange = begin(stage)
    exchange.signal(signal.SIGUSR1)
    assert exchange.see() == expected


@pytest.mark.behaviour("H9")
@matrix("RST from client", "client gone")
def test_client_leaves(begin: Callable[..., Exchange], stage: str, fault: str, expected: str) -> None:
    exchange = begin(stage, from_client=True)
    if fault == "RST from client":
        exchange.client.reset()
    else:
        exchange.client.close()
    assert expected == "left"
    exchange.signal(signal.SIGCONT)
    still = ["idle"] if stage == "idle keep-alive" else []
    wait_until(lambda: exchange.waiting() == still, "the origin server to notice", timeout=10)


# ---- Jupyter stops: all stages at once, for it stops but once


@pytest.fixture(scope="module")
def seen_at_stop(start_jupyter: Callable[..., Jupyter]) -> dict[str, str]:
    """What each client saw when Jupyter was told to stop."""
    server = start_jupyter(configuration(), environment=ENVIRONMENT)
    exchanges = [
        Exchange(server, "full" if stage == "connect" else "staged", stage, from_client=True)
        for stage in sorted(STAGES, key=["connect", "idle keep-alive"].count)  # those two last: pools forget
    ]
    for exchange in exchanges:
        exchange.reach()
    left = server.descendants()
    server.signal(signal.SIGTERM)
    wait_until(lambda: server.process.poll() is not None, "Jupyter to end")
    seen = {exchange.stage: exchange.see() for exchange in exchanges}
    wait_until(lambda: all(process_gone(process.pid) for process in left), "its children to end", timeout=10)
    for exchange in exchanges:
        exchange.close()
    return seen


@matrix("Jupyter stopping")
def test_jupyter_stops(seen_at_stop: dict[str, str], stage: str, fault: str, expected: str) -> None:
    assert seen_at_stop[stage] == expected


# ---- faults at every byte, between us and the origin server


@contextlib.contextmanager
def planned(faults: FaultProxy, *, toward_client: Fault = NONE, toward_target: Fault = NONE) -> Iterator[None]:
    """What happens to the connections that are made meanwhile."""
    faults.toward_client, faults.toward_target = toward_client, toward_target
    yield
    faults.toward_client = faults.toward_target = NONE


def result(jupyter: Jupyter, path: str) -> tuple[str, bytes | None]:
    """The outcome of one GET on a connection of its own."""
    with contextlib.closing(connect(jupyter, "faulty/")) as client:
        client.send(f"GET {{path}}{path} HTTP/1.1", "Host: {host}", "{auth}", "", "")
        return outcome(client)


def on_the_wire(faults: FaultProxy, path: str) -> bytes:
    """A response as the origin server sends it."""
    with socket.create_connection(("127.0.0.1", faults.target)) as sock:
        wire = Wire(sock)
        wire.send(f"GET /{path} HTTP/1.1", "Host: x", "", "")
        return wire.rest()


BODY = b"1234567890"


@pytest.mark.behaviour("H8", "H20")
@pytest.mark.parametrize("action", [Action.FIN, Action.RST], ids=lambda action: action.name)
@pytest.mark.parametrize("path", ["whole", "chunked", "until-close"])
def test_response_that_ends_at_any_byte(jupyter: Jupyter, faults: FaultProxy, path: str, action: Action) -> None:
    """A 502 within the head, a visible truncation after it; never a response that looks whole and is not."""
    data = on_the_wire(faults, path)
    head = data.index(b"\r\n\r\n") + 4
    with leaving_nothing(jupyter):
        for at in range(1, len(data)):
            with planned(faults, toward_client=Fault(at, action)):
                status, body = result(jupyter, path)
            if at < head:
                assert (status, body) == ("502", None), at
                continue
            assert BODY.startswith(body or b""), at
            if path == "until-close" and action is Action.FIN:
                assert (status, body) == ("200", data[head:at])  # it says itself that its end is the connection's
            else:
                assert status == "200 cut", at


@pytest.mark.behaviour("H5", "H6")
@pytest.mark.parametrize("slices", [1, 3, 10])
@pytest.mark.parametrize("path", ["whole", "chunked", "until-close"])
def test_response_in_slices(jupyter: Jupyter, faults: FaultProxy, path: str, slices: int) -> None:
    with planned(faults, toward_client=Fault(slices=slices)):
        assert result(jupyter, path) == ("200", BODY)


@pytest.mark.behaviour("H20")
@pytest.mark.parametrize("at", [0, 5, 25, -11])
def test_response_head_that_stalls(jupyter: Jupyter, faults: FaultProxy, at: int) -> None:
    at = at if at >= 0 else len(on_the_wire(faults, "whole")) + at
    with leaving_nothing(jupyter):
        with planned(faults, toward_client=Fault(at, Action.STALL)):
            assert result(jupyter, "whole") == ("504", None)
        faults.resume()


@pytest.mark.behaviour("H20")
@pytest.mark.parametrize("path", ["whole", "chunked", "until-close"])
def test_response_body_that_stalls(jupyter: Jupyter, faults: FaultProxy, path: str) -> None:
    at = on_the_wire(faults, path).index(b"1234") + 4
    with leaving_nothing(jupyter), contextlib.closing(connect(jupyter, "faulty/")) as client:
        with planned(faults, toward_client=Fault(at, Action.STALL)):
            client.send(f"GET {{path}}{path} HTTP/1.1", "Host: {host}", "{auth}", "", "")
            come = client.read_until(b"1234" if path == "whole" else b"1234\r\n")
        assert client.silent(RESPONSE_TIMEOUT * 1.5)
        faults.resume()
        client.unread(come)
        assert outcome(client) == ("200", BODY)


# ---- faults at every byte, between the client and us


@pytest.fixture
def front(jupyter: Jupyter) -> Iterator[FaultProxy]:
    proxy = FaultProxy(jupyter.port)
    yield proxy
    proxy.close()


UPLOAD = (
    "POST {path}take HTTP/1.1", "Host: {host}", "{auth}", "Transfer-Encoding: chunked", "",
    "5", "12345", "5", "67890", "0", "", "",
)  # fmt: skip


@contextlib.contextmanager
def uploading(jupyter: Jupyter, front: FaultProxy) -> Iterator[Wire]:
    """A client of the fault proxy that has sent all of a request."""
    client = Wire(socket.create_connection(("127.0.0.1", front.port)), names_of(jupyter))
    with contextlib.closing(client):
        client.send(*UPLOAD)
        yield client


def names_of(jupyter: Jupyter) -> dict[str, str]:
    with contextlib.closing(connect(jupyter, "faulty/")) as client:
        return client.names


def taken(faults: FaultProxy) -> int:
    """How many uploads the origin server has got whole; asked without the proxy."""
    return int(json.loads(on_the_wire(faults, "ok").partition(b"\r\n\r\n")[2])["taken"])


@pytest.mark.behaviour("H9")
@pytest.mark.parametrize("action", [Action.FIN, Action.RST], ids=lambda action: action.name)
def test_request_that_ends_at_any_byte(jupyter: Jupyter, faults: FaultProxy, front: FaultProxy, action: Action) -> None:
    """The origin server never takes it for a whole one, and nothing is kept for it."""
    data = "\r\n".join(UPLOAD).format(**names_of(jupyter)).encode()
    head = data.index(b"\r\n\r\n")
    before = taken(faults)
    with leaving_nothing(jupyter):
        for at in [*range(1, head, 9), *range(head, len(data))]:
            with planned(front, toward_target=Fault(at, action)), uploading(jupyter, front) as client:
                assert outcome(client) == ("closed", None), at
    assert front.happened == front.connections
    assert taken(faults) == before


@pytest.mark.parametrize("slices", [1, 4])
def test_request_in_slices(jupyter: Jupyter, faults: FaultProxy, front: FaultProxy, slices: int) -> None:
    before = taken(faults)
    with planned(front, toward_target=Fault(slices=slices)), uploading(jupyter, front) as client:
        assert outcome(client)[0] == "200"
    assert taken(faults) == before + 1


def test_request_head_that_stalls(jupyter: Jupyter, front: FaultProxy) -> None:
    with (
        leaving_nothing(jupyter),
        planned(front, toward_target=Fault(20, Action.STALL)),
        uploading(jupyter, front) as client,
    ):
        assert client.silent(RESPONSE_TIMEOUT * 1.5)
        front.resume()
        assert outcome(client)[0] == "200"


@pytest.mark.behaviour("H20")
def test_request_body_that_stalls(jupyter: Jupyter, faults: FaultProxy, front: FaultProxy) -> None:
    """The exchange is given up when it makes no progress for as long as a response may take to begin.

    It is the client that keeps it waiting, and not the origin server, which would take more.
    """
    before = taken(faults)
    at = len("\r\n".join(UPLOAD).format(**names_of(jupyter))) - 12
    with (
        leaving_nothing(jupyter),
        planned(front, toward_target=Fault(at, Action.STALL)),
        uploading(jupyter, front) as client,
    ):
        assert outcome(client) == ("408", None)
        front.resume()
    assert taken(faults) == before
