"""A server that does not speak HTTP: it sends back what it receives, and does other things on demand.

The first bytes of a connection may be a command: "EOF" (say "bye" and end the stream, keep reading), "SEND <count>"
(that many bytes of a pattern, then end), "HASH" (swallow until end of file, then append the length and the SHA-256 of
what came to the report file). Everything else is echoed.

Arguments: --port=N (TCP on 127.0.0.1) or --unix-socket=PATH; --report=PATH: a line for each connection that has ended
("<length> <sha256>").
"""

from __future__ import annotations

import asyncio
import hashlib
import sys

PATTERN = bytes(range(256)) * 256


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, report: str) -> None:
    digest, length = hashlib.sha256(), 0
    command = b""
    while data := await reader.read(65536):
        digest.update(data)
        length += len(data)
        if not command:
            command = data[:4]
            if data.startswith(b"SEND "):
                left = int(data[5:])
                while left:
                    writer.write(PATTERN[: min(left, len(PATTERN))])
                    left -= min(left, len(PATTERN))
                    await writer.drain()
                writer.write_eof()
            elif data.startswith(b"EOF"):
                writer.write(b"bye")
                writer.write_eof()
        if command not in (b"SEND", b"EOF", b"HASH"):
            writer.write(data)
            await writer.drain()
    if report:
        with open(report, "a") as file:
            print(length, digest.hexdigest(), file=file)
    writer.close()


async def main() -> None:
    """Listen until killed."""
    options = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, options.get("report", ""))
        except ConnectionError:
            writer.close()

    if options.get("unix-socket"):
        server = await asyncio.start_unix_server(connected, options["unix-socket"])
    else:
        server = await asyncio.start_server(connected, "127.0.0.1", int(options["port"]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
