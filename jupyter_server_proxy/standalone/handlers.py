"""Our own endpoints: REST, probes, metrics, icon. Bases with and without a login make them whole."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tornado import web

from ..rules.policy import SAFE_METHODS
from ..supervise.facts import State
from ..web.api import Icons
from ..web.metrics import MetricsCollector
from ..web.refusal import PlainErrors, RefusalHandler
from ..web.rest import routes_on
from ..web.runtime import ACTIVITY_KEY, Runtime

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

    from .checks import Checks


class OwnHandler(web.RequestHandler):
    """The base of our own endpoints: Host, login, origin and XSRF token are checked before a method runs.

    Settings of the application: ``checks``, ``log``, ``base_url``.
    """

    _track_activity = False

    @property
    def log(self) -> logging.Logger:
        """Of the service."""
        log: logging.Logger = self.settings["log"]
        return log

    @property
    def launcher_base_url(self) -> str:
        """See ``LauncherHandler``."""
        return str(self.settings["base_url"])

    def set_default_headers(self) -> None:
        """Called by tornado."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "frame-ancestors 'self'")

    async def prepare(self) -> None:
        """Called by tornado before a method of ours."""
        checks: Checks = self.settings["checks"]
        if not checks.accept_host(self.request):
            raise web.HTTPError(403, "This Host is not allowed.")
        await self.identify()
        if self.current_user and self.request.method not in SAFE_METHODS:
            if not self._is_token_authenticated and not checks.accept_origin(self.request):
                raise web.HTTPError(403, "Cross-origin requests are not allowed.")
            self.check_xsrf_cookie()

    async def identify(self) -> None:
        """Find out ``current_user``."""
        raise NotImplementedError

    async def is_permitted(self, action: str) -> bool:
        """See ``RestHandler``: whoever was let in may do everything."""
        return True

    def get_login_url(self) -> str:
        """Called by tornado when nobody is logged in: programs are not redirected."""
        raise web.HTTPError(403, "Not logged in.")

    def options(self, *args: str) -> None:
        """Tells a browser what is allowed; which is nothing, for pages of other origins."""
        self.set_status(204)

    def on_finish(self) -> None:
        """Called by tornado when the answer was sent."""
        if self._track_activity and self.get_status() < 400:
            self.settings["last_activity_times"][ACTIVITY_KEY] = datetime.now(timezone.utc)

    @property
    def _is_token_authenticated(self) -> bool:
        return False


class OpenHandler(OwnHandler):
    """The base where nobody has to log in."""

    async def identify(self) -> None:
        """See ``OwnHandler``."""
        self.current_user = "anonymous"


def new_xsrf_cookies(handler: web.RequestHandler) -> tuple[str, ...]:
    """Set-Cookie values for the token against cross-site requests; none where the browser has it."""
    handler.xsrf_token  # noqa: B018 - sets the cookie
    return tuple(morsel.OutputString(None) for morsel in getattr(handler, "_new_cookie", {}).values())


# ---- refusals


class OpenRefusalHandler(RefusalHandler, OpenHandler):
    """Answers those who may not pass; logging in would not help."""

    async def prepare(self) -> None:
        """Called by tornado; nothing comes after it."""
        raise web.HTTPError(self._refusal.status, self._refusal.reason)


@web.stream_request_body
class OpenUploadRefusalHandler(OpenRefusalHandler):
    """The same for a navigation with a body, which is not waited for."""

    def data_received(self, chunk: bytes) -> None:
        """Called by tornado; the body is dropped."""


class NotFoundHandler(PlainErrors):
    """Whatever is outside our base URL."""

    def prepare(self) -> None:
        """Called by tornado."""
        raise web.HTTPError(404, f"There is nothing here. The application is at {self.settings['base_url']}")

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here."""


# ---- probes and metrics


class ProbeHandler(PlainErrors):
    """``healthz`` and ``readyz``, for whoever runs us: they tell nothing, and ask for no login.

    ``healthz``: we serve. ``readyz``: the application has been ready once, and has not failed since; one that is
    stopped because nobody uses it starts with the next request, so it is ready, too.
    """

    def initialize(self, runtime: Runtime) -> None:
        """Called by tornado."""
        self._runtime = runtime

    def get(self) -> None:
        """200 or 503."""
        ready = True
        if self.request.path.endswith("readyz"):
            ready = all(
                server.state is not State.FAILED and (server.facts().starts == 0 or server.state is not State.STARTING)
                for server in self._runtime.supervisor
            )
        self.set_status(200 if ready else 503)
        self.set_header("Cache-Control", "no-store")
        self.finish({"status": "ok" if ready else "not ready"})

    head = get


class Metrics(PlainErrors):
    """``metrics``, for Prometheus."""

    _registry: CollectorRegistry | None = None

    def initialize(self, collector: MetricsCollector) -> None:
        """Called by tornado."""
        self._collector = collector

    async def get(self) -> None:
        """Their values now; without a login only where that is configured."""
        if self.settings["authenticate_prometheus"] and not self.current_user:
            raise web.HTTPError(403, "Not logged in.")
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

        if Metrics._registry is None:
            Metrics._registry = CollectorRegistry()
            Metrics._registry.register(self._collector)
            ProcessCollector(registry=Metrics._registry)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(await asyncio.to_thread(generate_latest, Metrics._registry))


def own_routes(base: type[OwnHandler], base_url: str, arguments: dict[str, Any]) -> list[Any]:
    """The rules of our own endpoints that ask for a login.

    Args:
        base: knows about logins.
        base_url: of the service, as a regular expression.
        arguments: ``api``, ``icons``, ``collector`` and ``runtime``.
    """
    icons = type("IconHandler", (Icons, base), {"__module__": __name__})
    metrics = type("MetricsHandler", (Metrics, base), {"__module__": __name__})
    prefix = f"{base_url}server-proxy/"
    return [
        *((f"{prefix}api/{path}", handler, {"api": arguments["api"]}) for path, handler in routes_on(base)),
        (f"{prefix}icon/(.*)", icons, {"icons": arguments["icons"]}),
        (f"{prefix}metrics", metrics, {"collector": arguments["collector"]}),
        (f"{prefix}(?:healthz|readyz)", ProbeHandler, {"runtime": arguments["runtime"]}),
        # Where the base URL has the name of a user in it, whoever configures probes for all users cannot know it.
        *([("/(?:healthz|readyz)", ProbeHandler, {"runtime": arguments["runtime"]})] if base_url != "/" else []),
    ]
