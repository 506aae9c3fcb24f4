"""The application that the integration tests put behind the proxy: it tells what it received, and misbehaves on demand.

    /anything            JSON of the request: method, target, headers (list of pairs), length and SHA-256 of the body
    /status/<code>       that status with a short body
    /bytes/<count>       that many bytes, with Content-Length
    /stream/<count>      that many lines, one each 50 ms, chunked
    /sse                 three server-sent events, 100 ms apart, then silence until the client leaves
    /slow/<seconds>      answers after that time; /slow-cancelled tells how many such clients left before
    /redirect?to=...     302 to exactly that Location
    /cookies             two Set-Cookie fields
    /environ             JSON of the process: pid, environment, arguments, working directory
    /exit/<code>         ends the process with that code, after answering
    /ws                  websocket echo; /ws-info says the handshake first; close code 4001 on message "close"
    /ws-refused          403 with a body to any request

Arguments: --port=N (TCP on 127.0.0.1) or --unix-socket=PATH; anything else is reported by /environ and ignored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from typing import Any

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web
import tornado.websocket

CANCELLED = 0


@tornado.web.stream_request_body
class Tell(tornado.web.RequestHandler):
    """Describes each request."""

    SUPPORTED_METHODS = (*tornado.web.RequestHandler.SUPPORTED_METHODS, "PROPFIND", "REPORT", "MKCOL")  # type: ignore[assignment]

    def prepare(self) -> None:
        self.request.connection.set_max_body_size(1 << 40)  # type: ignore[union-attr]
        self.digest = hashlib.sha256()
        self.length = 0

    def data_received(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self.length += len(chunk)

    def tell(self) -> None:
        self.set_header("X-Echo", "yes")
        self.finish(
            {
                "method": self.request.method,
                "target": self.request.uri,
                "headers": list(self.request.headers.get_all()),
                "length": self.length,
                "sha256": self.digest.hexdigest(),
                "pid": os.getpid(),
            }
        )

    get = head = post = put = patch = delete = options = propfind = report = mkcol = tell

    def compute_etag(self) -> None:
        return None


class Status(tornado.web.RequestHandler):
    def get(self, code: str) -> None:
        self.set_status(int(code))
        if int(code) not in (204, 304):
            self.finish(f"status {code}")


class Bytes(tornado.web.RequestHandler):
    async def get(self, count: str) -> None:
        left = int(count)
        self.set_header("Content-Length", count)
        block = bytes(range(256)) * 1024
        while left:
            piece = block[: min(left, len(block))]
            self.write(piece)
            await self.flush()
            left -= len(piece)


class Stream(tornado.web.RequestHandler):
    async def get(self, count: str) -> None:
        for number in range(int(count)):
            self.write(f"line {number}\n")
            await self.flush()
            await asyncio.sleep(0.05)


class Events(tornado.web.RequestHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        for number in range(3):
            self.write(f"data: {number}\n\n")
            await self.flush()
            await asyncio.sleep(0.1)
        while not self.request.connection.stream.closed():  # type: ignore[union-attr]
            await asyncio.sleep(0.05)


class Slow(tornado.web.RequestHandler):
    left = False

    def on_connection_close(self) -> None:
        global CANCELLED
        CANCELLED += 1
        self.left = True

    async def get(self, seconds: str) -> None:
        for _ in range(int(float(seconds) * 20)):
            if self.left:
                return
            await asyncio.sleep(0.05)
        self.finish("late")


class SlowCancelled(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish({"cancelled": CANCELLED})


class Redirect(tornado.web.RequestHandler):
    def get(self) -> None:
        self.set_status(302)
        self.set_header("Location", self.get_query_argument("to").replace("HOST", self.request.host))


class Cookies(tornado.web.RequestHandler):
    def get(self) -> None:
        self.add_header("Set-Cookie", "one=1; Path=/")
        self.add_header("Set-Cookie", "two=2; HttpOnly")
        self.finish("cookies")


class Environ(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish({"pid": os.getpid(), "environ": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd()})


class Exit(tornado.web.RequestHandler):
    async def get(self, code: str) -> None:
        await self.finish("bye")
        os._exit(int(code))


class WebSocket(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "two" if "two" in subprotocols else None

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def open(self) -> None:
        if self.request.path.endswith("/ws-info"):
            self.write_message(
                json.dumps({"target": self.request.uri, "headers": list(self.request.headers.get_all())})
            )

    def on_message(self, message: str | bytes) -> None:
        if message == "close":
            self.close(4001, "as you wish")
        else:
            self.write_message(message, binary=isinstance(message, bytes))


class Refused(tornado.web.RequestHandler):
    def get(self) -> None:
        self.set_status(403)
        self.set_header("X-Reason", "because")
        self.finish("no websocket here")


def make_app() -> tornado.web.Application:
    """Routes match wherever the application is mounted, so that it can be asked by full and by stripped paths."""
    return tornado.web.Application(
        [
            (r".*/status/(\d+)", Status),
            (r".*/bytes/(\d+)", Bytes),
            (r".*/stream/(\d+)", Stream),
            (r".*/sse", Events),
            (r".*/slow/([\d.]+)", Slow),
            (r".*/slow-cancelled", SlowCancelled),
            (r".*/redirect", Redirect),
            (r".*/cookies", Cookies),
            (r".*/environ", Environ),
            (r".*/exit/(\d+)", Exit),
            (r".*/ws(?:-info)?", WebSocket),
            (r".*/ws-refused", Refused),
            (r".*", Tell),
        ]
    )


async def main() -> None:
    """Listen, and end on SIGTERM."""
    options = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word)
    server = tornado.httpserver.HTTPServer(make_app())
    if options.get("unix-socket"):
        server.add_socket(tornado.netutil.bind_unix_socket(options["unix-socket"]))
    else:
        server.listen(int(options["port"]), options.get("host", "127.0.0.1"))
    print("echo listens", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
