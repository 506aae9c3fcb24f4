"""An origin server that stops at one place of an exchange, and says nothing more until it is told to.

    /ok                  200 with JSON: pid, waiting (paths that wait), taken (number of complete request bodies)
    /keep                the same, and keeps the connection
    /request-head        reads the request line, and waits before it reads the fields
    /request-body        reads the head and 5 bytes of the body, and waits before it reads the rest
    /response-head       sends half of the head, and waits
    /mid-body            sends a head and half of what Content-Length promises, and waits
    /chunk-boundary      sends a head and one whole chunk, and waits
    /handshake           reads an upgrade request, and waits
    /upgraded            answers 101, and echoes
    /whole, /chunked     a response of one write, framed by Content-Length, or by chunks
    /until-close         a response that ends with the connection
    /take                reads the body, counts it as taken when it is complete, and answers

SIGUSR2: those that wait go on. SIGUSR1: they reset their connections. Argument: --port=N.

A thread serves each connection with blocking calls, so that what was not asked for stays in the socket. The queue of
connections is short: a test can fill it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable

WAITING: list[str] = []
TAKEN: list[int] = []
OPEN: set[Connection] = set()


class Connection:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.order = ""

    def line(self) -> bytes:
        """Up to CR LF, and not one byte more."""
        data = b""
        while not data.endswith(b"\r\n"):
            data += self.exactly(1)
        return data[:-2]

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def fields(self) -> dict[str, str]:
        fields = {}
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return fields

    def body(self, fields: dict[str, str]) -> bytes:
        if "transfer-encoding" not in fields:
            return self.exactly(int(fields.get("content-length", "0")))
        data = b""
        while size := int(self.line(), 16):
            data += self.exactly(size)
            self.exactly(2)
        self.exactly(2)
        return data

    def wait(self, path: str, *, or_bytes: bool = False) -> None:
        """Until a signal says what to do, the other side has closed, or (where they are awaited) bytes come."""
        self.order = ""
        WAITING.append(path)
        try:
            end = select.poll()
            end.register(self.sock, select.POLLRDHUP | (select.POLLIN if or_bytes else 0))
            while not self.order:
                for _, events in end.poll(20):
                    if events & ~select.POLLIN:
                        raise ConnectionError
                    return
        finally:
            WAITING.remove(path)
        if self.order == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionError

    def send(self, *lines: str) -> None:
        self.sock.sendall("\r\n".join(lines).encode())


def serve(connection: Connection) -> None:
    OPEN.add(connection)
    try:
        with connection.sock, contextlib.suppress(OSError):
            while one_exchange(connection):
                pass
    finally:
        OPEN.discard(connection)


def one_exchange(connection: Connection) -> bool:
    """Whether another one may follow."""
    path = connection.line().split()[1].decode()
    if path == "/request-head":
        connection.wait(path)
    fields = connection.fields()
    if path == "/request-body":
        connection.exactly(5)
        connection.wait(path)
    PLACES.get(path, answer)(connection, path, fields)
    if path == "/keep":
        connection.wait("idle", or_bytes=True)
        return True
    return False


def answer(connection: Connection, path: str, fields: dict[str, str]) -> None:
    body = json.dumps({"pid": os.getpid(), "waiting": WAITING, "taken": len(TAKEN)})
    connection.send(
        "HTTP/1.1 200 OK", f"Connection: {'keep-alive' if path == '/keep' else 'close'}",
        f"Content-Length: {len(body)}", "", body,
    )  # fmt: skip


def response_head(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 200 OK", "X-Half: ")
    connection.wait(path)
    connection.send("yes", "Content-Length: 0", "Connection: close", "", "")


def mid_body(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 200 OK", "Content-Length: 10", "Connection: close", "", "12345")
    connection.wait(path)
    connection.send("67890")


def chunk_boundary(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", "", "5", "12345", "")
    connection.wait(path)
    connection.send("5", "67890", "0", "", "")


def handshake(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.wait(path)
    upgraded(connection, path, fields)


def upgraded(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 101 Switching Protocols", "Upgrade: mirror", "Connection: Upgrade", "", "")
    connection.sock.setblocking(True)
    while True:
        while not select.select([connection.sock], [], [], 0.02)[0]:
            if connection.order == "reset":
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
        if not (data := connection.sock.recv(4096)):
            return
        connection.sock.sendall(data)


def whole(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 200 OK", "Content-Length: 10", "Connection: close", "", "1234567890")


def chunked(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send(
        "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", "", "4", "1234", "6;x=y", "567890",
        "0", "X-Trailer: 1", "", "",
    )  # fmt: skip


def until_close(connection: Connection, path: str, fields: dict[str, str]) -> None:
    connection.send("HTTP/1.1 200 OK", "Connection: close", "", "1234567890")


def take(connection: Connection, path: str, fields: dict[str, str]) -> None:
    TAKEN.append(len(connection.body(fields)))
    answer(connection, path, fields)


PLACES: dict[str, Callable[[Connection, str, dict[str, str]], None]] = {
    "/response-head": response_head,
    "/mid-body": mid_body,
    "/chunk-boundary": chunk_boundary,
    "/handshake": handshake,
    "/upgraded": upgraded,
    "/whole": whole,
    "/chunked": chunked,
    "/until-close": until_close,
    "/take": take,
}


def accept(listener: socket.socket) -> None:
    while True:
        connection = Connection(listener.accept()[0])
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main() -> None:
    signals = {signal.SIGUSR1: "reset", signal.SIGUSR2: "go on"}
    signal.pthread_sigmask(signal.SIG_BLOCK, {*signals, signal.SIGTERM})
    options = dict(word[2:].split("=", 1) for word in sys.argv[1:])
    with socket.create_server(("127.0.0.1", int(options["port"])), backlog=4) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        while (number := signal.sigwait({*signals, signal.SIGTERM})) != signal.SIGTERM:
            for connection in list(OPEN):
                connection.order = signals[signal.Signals(number)]
    os._exit(0)


if __name__ == "__main__":
    main()
