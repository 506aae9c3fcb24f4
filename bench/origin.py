"""The origin server of the benchmarks: prepared answers and no more, so that it is not what is measured.

    /1k             1 KiB
    /bytes/<n>      n bytes, n a multiple of 1 MiB
    PUT, POST       takes the body, answers with its length
    /ws             websocket echo: each frame comes back as it is, unmasked

Runs with the standard library alone: ``python origin.py PORT [--delay SECONDS]``; with a delay it listens only then.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys

KIB = b"x" * 1024
MIB = b"y" * (1024 * 1024)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
ANSWER = OK % 1024 + KIB
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]+)", re.IGNORECASE)


class Origin(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        self.left = self.size = 0
        self.websocket = False
        self.may_write = asyncio.Event()
        self.may_write.set()

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self.may_write.clear()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self.left:
            self.left -= len(data)
            if self.left <= 0:
                self.left = 0
                self.told()
            return
        self.buffer += data
        if self.websocket:
            self.echo()
            return
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self.answer(head)

    def answer(self, head: bytes) -> None:
        """To one request."""
        method, path, _ = head.split(b" ", 2)
        if method in (b"PUT", b"POST"):
            found = LENGTH.search(head)
            self.size = int(found[1]) if found else 0
            self.left, self.buffer = self.size - len(self.buffer), b""
            if not self.left:
                self.told()
        elif path.startswith(b"/bytes/"):
            self.task = asyncio.ensure_future(self.stream(int(path[7:])))
        elif key := KEY.search(head):
            accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self.websocket = True
        else:
            self.transport.write(ANSWER)

    def told(self) -> None:
        """The answer to an upload."""
        body = str(self.size).encode()
        self.transport.write(OK % len(body) + body)

    async def stream(self, size: int) -> None:
        """A large body."""
        self.transport.write(OK % size)
        for _ in range(size // len(MIB)):
            await self.may_write.wait()
            self.transport.write(MIB)

    def echo(self) -> None:
        """Whole small frames (shorter than 126 bytes) go back unmasked."""
        out = []
        while len(self.buffer) >= 6 and len(self.buffer) >= 6 + (size := self.buffer[1] & 0x7F):
            mask, payload = self.buffer[2:6], self.buffer[6 : 6 + size]
            unmasked = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
            out.append(bytes([self.buffer[0], size]) + unmasked.to_bytes(size, "big"))
            self.buffer = self.buffer[6 + size :]
        self.transport.write(b"".join(out))


async def main() -> None:
    """Serve until killed."""
    if "--delay" in sys.argv:
        await asyncio.sleep(float(sys.argv[sys.argv.index("--delay") + 1]))
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
