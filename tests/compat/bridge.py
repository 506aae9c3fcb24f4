"""Standard input and output over a websocket: what ``websocat --binary`` does, for ssh's ProxyCommand."""

from __future__ import annotations

import asyncio
import sys

import websockets


async def main(url: str) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**18)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    async with websockets.connect(url, proxy=None, max_size=None, compression=None, open_timeout=60) as channel:

        async def upwards() -> None:
            while data := await reader.read(2**17):
                await channel.send(data)
            await channel.close()

        sending = asyncio.create_task(upwards(), name="upwards")
        async for message in channel:
            assert isinstance(message, bytes)
            writer.write(message)
            await writer.drain()
        sending.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
