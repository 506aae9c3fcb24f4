"""A chat room with a clock: the server speaks first, every second, and passes on what anybody says."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

PAGE = Path(__file__).with_name("chat.html")


class Room:
    """Who is here. A message to somebody who does not keep up is left out rather than stored."""

    def __init__(self) -> None:
        self.members: set[Member] = set()

    def tell(self, kind: str, **what: Any) -> None:
        message = json.dumps({"kind": kind, **what})
        for member in self.members:
            if not member.busy:
                member.send(message)

    async def tick(self) -> None:
        while True:
            self.tell("clock", time=time.strftime("%H:%M:%S"), members=len(self.members))
            await asyncio.sleep(1)


class Member(WebSocketHandler):
    def initialize(self, room: Room) -> None:
        self.room = room
        self.busy = False

    def open(self, *_: str) -> None:
        self.room.members.add(self)
        self.room.tell("clock", time=time.strftime("%H:%M:%S"), members=len(self.room.members))

    def on_message(self, message: str | bytes) -> None:
        text = message if isinstance(message, str) else f"{len(message)} bytes"
        self.room.tell("said", text=text[:500])

    def on_close(self) -> None:
        self.room.members.discard(self)

    def send(self, message: str) -> None:
        async def write() -> None:
            try:
                await self.write_message(message)
            except Exception:
                self.room.members.discard(self)  # it has left
            finally:
                self.busy = False

        self.busy = True
        self.writing = asyncio.ensure_future(write())


class Page(RequestHandler):
    def get(self) -> None:
        self.finish(PAGE.read_bytes())


async def main(port: int) -> None:
    room = Room()
    application = Application([("/", Page), ("/ws", Member, {"room": room})], websocket_ping_interval=30)
    application.listen(port, address="127.0.0.1")
    print(f"chat listens on port {port}", flush=True)
    await room.tick()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args().port))
