"""Server-sent events of the REST API (WHATWG HTML 9.2): output as it is written, and changes of state."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tornado import web
from tornado.iostream import StreamClosedError

from ..supervise.facts import State
from ..supervise.server import ManagedServer
from .model import describe_line
from .runtime import Runtime

#: Seconds after which a comment shows that the connection is alive; proxies close silent ones after 60.
KEEP_ALIVE = 15.0

#: Streams that may be open at the same time.
MAX_STREAMS = 200

#: Changes that wait for a client that is slow; it loses the oldest of more.
MAX_CHANGES = 1000

Describe = Callable[[ManagedServer], Mapping[str, Any]]


class EventStream:
    """One response with events; used as a context.

    Args:
        handler: of the request, which has passed.
        runtime: ends all streams when Jupyter stops.

    Raises:
        HTTPError: 503, there are too many.
    """

    _open = 0

    def __init__(self, handler: web.RequestHandler, runtime: Runtime) -> None:
        self._handler = handler
        self.wake = asyncio.Event()
        self._closed = False
        if EventStream._open >= MAX_STREAMS:
            raise web.HTTPError(503, f"There are {MAX_STREAMS} open event streams already. Close some of them.")
        task = asyncio.current_task()
        assert task is not None
        runtime.own(task)

    async def __aenter__(self) -> EventStream:
        EventStream._open += 1
        handler = self._handler
        # Its place is free at once for somebody else, and not only when the next event cannot be sent.
        handler.request.connection.set_close_callback(self._on_close)  # type: ignore[union-attr]
        handler.set_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("X-Accel-Buffering", "no")
        handler.xsrf_token  # noqa: B018 - sets the cookie that POST requests of pages have to repeat
        return self

    async def __aexit__(self, *_: object) -> None:
        EventStream._open -= 1

    def _on_close(self) -> None:
        self._closed = True
        self.wake.set()

    def send(self, event: str, content: Mapping[str, Any]) -> None:
        """Add an event; ``flush`` sends it."""
        self._handler.write(f"event: {event}\ndata: {json.dumps(content)}\n\n")

    async def flush(self) -> None:
        """Send what was added; returns when it has left.

        Raises:
            StreamClosedError: the client has gone.
        """
        if self._closed:
            raise StreamClosedError
        await self._handler.flush()

    async def wait(self) -> None:
        """Until there is something to send, or the client has gone."""
        while True:
            try:
                await asyncio.wait_for(self.wake.wait(), KEEP_ALIVE)
            except (TimeoutError, asyncio.TimeoutError):
                self._handler.write(": keep-alive\n\n")
                await self.flush()
            else:
                self.wake.clear()
                return


async def follow_server(
    handler: web.RequestHandler,
    runtime: Runtime,
    server: ManagedServer,
    describe: Describe,
    *,
    tail: int,
    with_html: bool,
) -> None:
    """Events "state" and "line" of one server, until the client goes.

    Args:
        handler: of the request.
        runtime: has the supervisor.
        server: that is followed.
        describe: gives it as JSON.
        tail: lines of earlier output to begin with.
        with_html: lines are also given as HTML.
    """
    changes = deque([describe(server)], maxlen=MAX_CHANGES)

    def watch(changed: ManagedServer, old: State, new: State) -> None:
        if changed is server:
            changes.append(describe(server))
            stream.wake.set()

    stream = EventStream(handler, runtime)
    remove = runtime.supervisor.watch(watch)
    try:
        async with stream:
            with server.logs.follow(stream.wake) as follower:
                lines = server.logs.last(tail)
                while True:
                    for line in lines:
                        stream.send("line", describe_line(line, with_html))
                    # The state comes after the lines: a page that leaves because of it has shown them all.
                    while changes:
                        stream.send("state", changes.popleft())
                    await stream.flush()
                    await stream.wait()
                    lines = follower.take()
                    if follower.lost:
                        stream.send("gap", {"lost": follower.lost})
                        follower.lost = 0
    except (StreamClosedError, asyncio.CancelledError):
        pass  # the client has gone, or Jupyter stops: the response ends here
    finally:
        remove()


async def follow_all(handler: web.RequestHandler, runtime: Runtime, describe: Describe) -> None:
    """Events "state" of all servers, until the client goes; see ``follow_server``."""
    changes = deque((describe(server) for server in runtime.supervisor), maxlen=MAX_CHANGES)

    def watch(server: ManagedServer, old: State, new: State) -> None:
        changes.append(describe(server))
        stream.wake.set()

    stream = EventStream(handler, runtime)
    remove = runtime.supervisor.watch(watch)
    try:
        async with stream:
            while True:
                while changes:
                    stream.send("state", changes.popleft())
                await stream.flush()
                await stream.wait()
    except (StreamClosedError, asyncio.CancelledError):
        pass  # the client has gone, or Jupyter stops: the response ends here
    finally:
        remove()
