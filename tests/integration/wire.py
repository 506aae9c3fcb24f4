"""Both ends of the proxy, byte by byte: a test is the client and the origin server at once, and reads as a transcript.

::

    client.send("GET {path}x HTTP/1.1", "Host: {host}", "", "")
    server = backend.accept()
    assert server.head().start == "GET /x HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi")
    assert client.response().body == b"hi"

The proxy is another process, so one thread is enough. Every read is bounded in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness import Jupyter

#: Seconds that a test waits for bytes that must come, and for those that must not.
PATIENCE = 20.0
QUIET = 0.3


#: A response after which its connection closes, so that none in the pool serves another test.
LAST_OK = ("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close", "", "hi")


@dataclass
class Head:
    """The start line and the field lines of a message, as they stood on the wire."""

    start: str
    fields: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The first value of a field."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.start.split(" ", 2)[1])


@dataclass
class Response(Head):
    """A response, and how it ended.

    Args:
        body: without its framing.
        complete: its framing says that nothing is missing.
        interim: heads of the 1xx responses before it.
    """

    body: bytes = b""
    complete: bool = True
    interim: list[Head] = field(default_factory=list)


class Wire:
    """One connection, on which exactly what a test says is sent."""

    def __init__(self, sock: socket.socket, names: dict[str, str] | None = None) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.names = names or {}
        self._buffer = b""

    # ---- sending

    def send(self, *lines: str | bytes, slices: int = 0) -> None:
        """Send lines joined by CR LF, with the test's names filled in; end a head by two empty ones.

        Args:
            lines: text or bytes; bytes are sent as they are.
            slices: send so many bytes at a time, each in a segment of its own.
        """
        data = b"\r\n".join(self._fill(line) for line in lines)
        if not slices:
            self.sock.sendall(data)
            return
        for start in range(0, len(data), slices):
            self.sock.sendall(data[start : start + slices])
            time.sleep(0.001)

    def _fill(self, line: str | bytes) -> bytes:
        if isinstance(line, bytes):
            return line
        for name, value in self.names.items():
            line = line.replace("{" + name + "}", value)
        return line.encode("latin-1")

    def finish(self) -> None:
        """No more comes from this side (FIN)."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection by a reset (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    # ---- reading

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._buffer) < count:
            if not self._more():
                raise AssertionError(f"the connection ended after {self._buffer[-200:]!r}, {count} bytes were expected")
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read_until(self, end: bytes) -> bytes:
        """Up to and including ``end``."""
        while end not in self._buffer:
            if not self._more():
                raise AssertionError(f"the connection ended in {self._buffer[-200:]!r} before {end!r}")
        data, _, self._buffer = self._buffer.partition(end)
        return data + end

    def rest(self) -> bytes:
        """Everything until the other side closes; a reset counts as that."""
        while self._more():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back that are to be read again."""
        self._buffer = data + self._buffer

    def silent(self, seconds: float = QUIET) -> bool:
        """Whether nothing comes, not even an end, for a while."""
        if self._buffer:
            return False
        self.sock.settimeout(seconds)
        try:
            return not self._more() and False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def closed(self) -> bool:
        """Whether the other side closes now, without another byte."""
        try:
            return self.rest() == b""
        except TimeoutError:
            return False

    def head(self) -> Head:
        """The next message head."""
        start, *lines = self.read_until(b"\r\n\r\n").decode("latin-1")[:-4].split("\r\n")
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Head(start, fields)

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a chunked body, as they come, without the last (RFC 9112 7.1)."""
        while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
            chunk = self.read(size + 2)
            assert chunk.endswith(b"\r\n")
            yield chunk[:-2]
        while self.read_until(b"\r\n") != b"\r\n":
            pass

    def body(self, head: Head) -> bytes:
        """The body that follows a request's head."""
        if head.get("Transfer-Encoding") is not None:
            return b"".join(self.chunks())
        return self.read(int(head.get("Content-Length") or 0))

    def response(self, method: str = "GET") -> Response:
        """A whole response, however it ends; interim ones are kept apart."""
        interim: list[Head] = []
        while (head := self.head()).status < 200 and head.status != 101:
            interim.append(head)
        response = Response(head.start, head.fields, interim=interim)
        if method == "HEAD" or head.status in (101, 204, 304):
            return response
        length = head.get("Content-Length")
        parts: list[bytes] = []
        try:
            if head.get("Transfer-Encoding") is not None:
                parts.extend(self.chunks())
            elif length is not None:
                parts.append(self.read(int(length)))
            else:
                parts.append(self.rest())
        except (AssertionError, ConnectionError):
            response.complete = False
            parts.append(self._buffer)
        response.body = b"".join(parts)
        return response

    def _more(self) -> bytes:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            return b""
        self._buffer += data
        return data


class Backend:
    """An origin server that does nothing by itself; ``accept`` gives the next connection that the proxy makes.

    Args:
        path: of a unix socket; None for a TCP port of 127.0.0.1.
        context: to speak TLS.
    """

    def __init__(self, path: str | None = None, context: ssl.SSLContext | None = None) -> None:
        self.path = path
        self.context = context
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = int(self._listener.getsockname()[1])
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self._listener.listen()
            self.port = 0
        self._accepted: list[Wire] = []

    def accept(self, timeout: float = PATIENCE) -> Wire:
        """The next connection."""
        self._listener.settimeout(timeout)
        sock, _ = self._listener.accept()
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_side=True)
        wire = Wire(sock)
        self._accepted.append(wire)
        return wire

    def untouched(self, seconds: float = QUIET) -> bool:
        """Whether nobody connects for a while."""
        try:
            self.accept(seconds).close()
        except TimeoutError:
            return True
        return False

    def drop_connections(self) -> None:
        """Close what was accepted."""
        for wire in self._accepted:
            wire.close()
        self._accepted.clear()

    def close(self) -> None:
        """Stop listening, and close what was accepted."""
        self._listener.close()
        self.drop_connections()


def socket_path() -> str:
    """A path that is short enough for a unix socket, wherever the tests' own directories are."""
    return os.path.join(tempfile.mkdtemp(prefix="wire-"), "s")


def connect(jupyter: Jupyter, prefix: str) -> Wire:
    """A client's connection to Jupyter, under TLS where that speaks it.

    ``{path}`` in what is sent stands for the public path of ``prefix``, ``{host}`` for Jupyter's Host, and ``{auth}``
    for the field that logs in: a cookie, for logging in by a token sets one with every response.
    """
    sock = jupyter.raw()
    if jupyter.certificate is not None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    names = {
        "path": jupyter.path(prefix),
        "host": f"127.0.0.1:{jupyter.port}",
        "origin": f"{'http' if jupyter.certificate is None else 'https'}://127.0.0.1:{jupyter.port}",
        "auth": f"Cookie: {jupyter.login_cookie()}",
    }
    return Wire(sock, names)


def keep(client: Wire, backend: Backend, requests: int = 3) -> None:
    """Have a connection of a client served so often that it is read by us and not by tornado any more.

    Args:
        client: as ``connect`` gives it.
        backend: answers, and closes its connection each time, so that none is left in the pool.
        requests: how often.
    """
    for _ in range(requests):
        client.send("GET {path}kept HTTP/1.1", "Host: {host}", "{auth}", "", "")
        server = backend.accept()
        server.head()
        server.send("HTTP/1.1 200 OK", "Content-Length: 4", "Connection: close", "", "kept")
        server.close()
        assert client.response().body == b"kept"


def state(jupyter: Jupyter) -> dict[str, Any]:
    """What a Jupyter with the service "debug_state" of the test applications tells about itself."""
    return dict(json.loads(jupyter.get("debug/state").text))


def taken_over(jupyter: Jupyter) -> int:
    """Connections that tornado does not read."""
    return int(state(jupyter)["tasks"].count("serve a persistent connection"))
