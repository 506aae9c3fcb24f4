"""A Tornado application without Jupyter that proxies by subclassing our handlers, as the scheduler of dask does.

Arguments: its port, and a port of this machine to which everything is proxied.
"""

from __future__ import annotations

import sys
from typing import Any

import tornado.ioloop
import tornado.web

from jupyter_server_proxy.handlers import LocalProxyHandler, ProxyHandler

PORT, TARGET = int(sys.argv[1]), int(sys.argv[2])


class GlobalProxyHandler(ProxyHandler):
    """Has arguments of its own, and lets everybody in."""

    def initialize(self, owner: str = "", extra: Any = None) -> None:
        self.owner = owner
        self.extra = extra or {}

    async def http_get(self, port: str, host: str, proxied_path: str) -> Any:
        # The real one shows its pages below another prefix than it proxies.
        self.host_allowlist.append(host)
        self.request.uri = "/somewhere/else"
        return await self.proxy(host, port, proxied_path)

    def post(self, port: str, host: str, proxied_path: str) -> Any:
        return self.proxy(host, port, proxied_path)  # not awaited

    async def open(self, port: str, host: str, proxied_path: str) -> Any:
        return await self.proxy_open(host, port, proxied_path)

    def prepare(self) -> None:  # type: ignore[override]
        pass

    def get_current_user(self) -> str:
        return "everybody"


class Changed(LocalProxyHandler):
    """Overrides what can be overridden about single requests."""

    def prepare(self) -> None:  # type: ignore[override]
        pass

    def get_current_user(self) -> str:
        return "everybody"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proxy_base = "changed"
        self.rewrite_response = self.rewrite

    def rewrite(self, response: Any) -> None:
        response.headers["X-Rewritten"] = "yes"

    def get_request_headers_override(self) -> dict[str, str]:
        return {"X-Override": "yes"}

    def proxy_request_headers(self) -> Any:
        headers = super().proxy_request_headers()
        headers["X-Added"] = "yes"
        headers.pop("X-Unwanted", None)
        return headers

    def http_get(self, path: str) -> Any:
        return self.proxy(TARGET, path)

    def check_origin(self, origin: str | None = None) -> bool:
        return self.request.headers.get("Origin") == "http://friend.example"

    def open(self, path: str) -> Any:  # type: ignore[override]
        return super().open(TARGET, path)


class Guarded(LocalProxyHandler):
    """Overrides ``prepare``, and lets nobody in: ``proxy`` itself looks who it is."""

    def prepare(self) -> None:  # type: ignore[override]
        pass

    def get_current_user(self) -> None:
        return None


application = tornado.web.Application(
    [
        (r"/proxy/(\d+)/(.*?)/(.*)", GlobalProxyHandler, {"owner": "scheduler"}),
        (r"/changed/(.*)", Changed),
        (r"/guarded/(\d+)/(.*)", Guarded),
        (r"/closed/(\d+)/(.*?)/(.*)", GlobalProxyHandler, {"host_allowlist": lambda handler, host: host == "friend"}),
    ]
)
application.listen(PORT, "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
