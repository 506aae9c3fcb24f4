"""A server that does not speak HTTP: it answers each line that it reads, such as "6 * 7", with a line."""

from __future__ import annotations

import argparse
import asyncio
import operator
import re

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
LINE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([-+*/])\s*(-?\d+(?:\.\d+)?)\s*")


def answer(line: str) -> str:
    parts = LINE.fullmatch(line)
    if parts is None:
        return "please write two numbers with + - * or / between them"
    left, operation, right = parts.groups()
    try:
        return f"{OPERATIONS[operation](float(left), float(right)):.12g}"
    except (ZeroDivisionError, OverflowError) as error:
        return str(error)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(b"calculator ready\n")
        while line := await reader.readline():
            writer.write(answer(line.decode(errors="replace").rstrip("\r\n")).encode() + b"\n")
            await writer.drain()
    except (ConnectionError, ValueError):
        pass  # the peer has gone, or sent a line of more than 64 KiB
    finally:
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print(f"calculator listens on port {port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args().port))
