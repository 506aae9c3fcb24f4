"""The REST API, ``<base_url>server-proxy/api/...``: see, start and stop servers, read their output; docs/openapi.yaml.

Thin handlers: the supervisor owns the state, ``model`` has the shape of the answers. They become whole by a base class
that knows about logins and cross-site requests; ``routes_on`` combines the two.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tornado import web

from ..errors import ProxyError, StartFailed
from ..supervise.logs import MAX_LINES
from ..supervise.server import ManagedServer
from .model import LATE_OUTPUT, describe_failed_request, describe_line, describe_server
from .pages import reason_phrase
from .refusal import PlainErrors
from .runtime import Runtime
from .streams import follow_all, follow_server
from .traffic import Traffic

if TYPE_CHECKING:
    from ..supervise.resources import ResourceMeter, Resources

Method = TypeVar("Method", bound=Callable[..., Any])

#: Lines of output that are told where nobody says how many.
DEFAULT_TAIL = 200


def permitted(action: str) -> Callable[[Method], Method]:
    """A method for those who are logged in, and who are allowed to do the action."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        async def permit(self: RestHandler, *args: str) -> None:
            if not await self.is_permitted(action):
                raise web.HTTPError(403, f"You are not allowed to {action} server-proxy.")
            await method(self, *args)

        return cast(Method, web.authenticated(permit))

    return decorate


class Api:
    """What the handlers share.

    Args:
        runtime: has the supervisor.
        traffic: by name of the server.
    """

    def __init__(self, runtime: Runtime, traffic: Mapping[str, Traffic]) -> None:
        self.runtime = runtime
        self._traffic = traffic
        self._meter: ResourceMeter | None = None

    def describe(self, server: ManagedServer, resources: Resources | None = None) -> dict[str, Any]:
        """One server as JSON."""
        return describe_server(server, self._traffic[server.spec.name], self.runtime.base_url, resources)

    async def measure(self, *servers: ManagedServer) -> dict[str, Resources | None]:
        """What the processes of servers use, by name."""
        pids = {server.spec.name: server.pid for server in servers}
        running = [pid for pid in pids.values() if pid is not None]
        found = await asyncio.to_thread(self._measure, running) if running else {}
        return {name: found.get(pid) if pid is not None else None for name, pid in pids.items()}

    def _measure(self, pids: list[int]) -> dict[int, Resources]:
        """In a thread."""
        if self._meter is None:
            from ..supervise.resources import ResourceMeter  # with psutil, which is slow to load

            self._meter = ResourceMeter()
        return self._meter.measure(pids)


class RestHandler(web.RequestHandler):
    """The common part of all: errors are JSON; looking does not count as activity.

    A base class that comes after it checks logins, hosts, origins and XSRF tokens.
    """

    _track_activity = False

    def initialize(self, api: Api) -> None:
        """Called by tornado."""
        self.api = api
        self.supervisor = api.runtime.supervisor

    if TYPE_CHECKING:  # what the base class has

        async def is_permitted(self, action: str) -> bool:
            """Whether the user who is logged in may do it; ``action`` is "read" or "write"."""

    log_exception = PlainErrors.log_exception

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Like other handlers of Jupyter, without a warning in the log for each 404."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        message, reason = "Unhandled error", None
        if isinstance(error, web.HTTPError):
            message, reason = error.log_message or reason_phrase(status_code), error.reason
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._methods()))  # RFC 9110 15.5.6
        self.set_header("Cache-Control", "no-store")
        self.finish({"message": message.replace("%%", "%"), "reason": reason})

    def _methods(self) -> list[str]:
        missing = web.RequestHandler.get  # as tornado defines every method
        return [method for method in self.SUPPORTED_METHODS if getattr(type(self), method.lower()) is not missing]

    def find(self, name: str) -> ManagedServer:
        """The server of that name.

        Raises:
            HTTPError: 404, there is none.
        """
        server = self.supervisor.get(name)
        if server is None:
            raise web.HTTPError(404, f"There is no server {name!r}.")
        return server

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter.

        Raises:
            HTTPError: 400, it is no number between 0 and ``most``.
        """
        text = self.get_query_argument(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
            raise web.HTTPError(400, f"The parameter {name!r} must be a whole number from 0 to {most}.")
        return int(text)

    def flag(self, name: str) -> bool:
        """A query parameter: on or off.

        Raises:
            HTTPError: 400, it is neither.
        """
        text = self.get_query_argument(name, "0").lower()
        if text not in ("0", "1", "false", "true"):
            raise web.HTTPError(400, f"The parameter {name!r} must be 0 or 1.")
        return text in ("1", "true")

    def reply(self, content: Mapping[str, Any], status: int = 200) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.xsrf_token  # noqa: B018 - sets the cookie that POST requests of pages have to repeat
        self.finish(dict(content))


class ServersHandler(RestHandler):
    """``servers``"""

    @permitted("read")
    async def get(self) -> None:
        """All servers."""
        servers = list(self.supervisor)
        measured = await self.api.measure(*servers)
        self.reply({"servers": [self.api.describe(server, measured[server.spec.name]) for server in servers]})


class ServerHandler(RestHandler):
    """``servers/<name>``"""

    @permitted("read")
    async def get(self, name: str) -> None:
        """One server."""
        server = self.find(name)
        self.reply(self.api.describe(server, (await self.api.measure(server))[name]))


class ActionHandler(RestHandler):
    """``servers/<name>/start``, ``.../stop`` and ``.../restart``"""

    _track_activity = True

    @permitted("write")
    async def post(self, name: str) -> None:
        """Do it; ``wait`` in the query or in the body waits for a start."""
        server, action = self.find(name), self.request.path.rpartition("/")[2]
        wait = self._is_waited_for()
        if not server.is_managed:
            raise web.HTTPError(409, f"Server {name!r} was not started by Jupyter, so it cannot {action} it.")
        self.api.runtime.log.info("%s of server '%s' was asked for", action, name)
        if action == "stop":
            await server.stop(hold=True)
            self.reply(self.api.describe(server))
            return
        try:
            await (server.restart() if action == "restart" else server.start())
            if wait:
                await server.ensure_ready()
        except ProxyError as error:
            self._reply_failure(error)
            return
        self.reply(self.api.describe(server), 200 if wait else 202)

    def _is_waited_for(self) -> bool:
        asked, body = self.flag("wait"), self._body()
        if not isinstance(body, dict) or not isinstance(body.get("wait", False), bool):
            raise web.HTTPError(400, 'The body must be empty, or such as {"wait": true}.')
        return asked or body.get("wait", False)

    def _body(self) -> Any:
        try:
            return json.loads(self.request.body) if self.request.body.strip() else {}
        except (ValueError, RecursionError):
            raise web.HTTPError(400, "The body is no JSON.") from None

    def _reply_failure(self, error: ProxyError) -> None:
        failed = error if isinstance(error, StartFailed) else StartFailed(error.message)
        content = {"exit_code": failed.exit_code, "output": list(failed.output)}
        self.reply({"message": failed.message, "reason": None, **content}, failed.status)


class LogsHandler(RestHandler):
    """``servers/<name>/logs``; with ``follow`` see ``streams``."""

    @permitted("read")
    async def get(self, name: str) -> None:
        """The last lines of output."""
        server = self.find(name)
        count, with_html = self.number("tail", DEFAULT_TAIL, MAX_LINES), self.flag("html")
        if self.flag("follow"):
            await follow_server(self, self.api.runtime, server, self.api.describe, tail=count, with_html=with_html)
            return
        lines = [describe_line(line, with_html) for line in server.logs.last(count)]
        self.reply({"name": name, "lines": lines, "next": server.logs.next_number})


class ErrorsHandler(RestHandler):
    """``servers/<name>/errors``"""

    @permitted("read")
    async def get(self, name: str) -> None:
        """Requests that the server answered with 500 or more, and what it wrote meanwhile."""
        server = self.find(name)
        errors = [
            describe_failed_request(
                failed, server.logs.between(failed.first_line, failed.end_line, failed.time + LATE_OUTPUT)
            )
            for failed in server.failed_requests
        ]
        self.reply({"errors": errors})


class EventsHandler(RestHandler):
    """``events``"""

    @permitted("read")
    async def get(self) -> None:
        """Each change of any server's state, as server-sent events."""
        await follow_all(self, self.api.runtime, self.api.describe)


class PortsHandler(RestHandler):
    """``ports``"""

    @permitted("read")
    async def get(self) -> None:
        """The TCP ports on which processes of this user listen."""
        from .ports import describe_ports  # with psutil, which is slow to load

        ports = await describe_ports(self.settings, self.supervisor, self.api.runtime.base_url, os.getpid())
        self.reply({"ports": ports})


#: Paths below ``server-proxy/api/``, as regular expressions, and their handlers. Names may have slashes.
ROUTES: list[tuple[str, type[RestHandler]]] = [
    (r"servers", ServersHandler),
    (r"servers/(.+)/start", ActionHandler),
    (r"servers/(.+)/stop", ActionHandler),
    (r"servers/(.+)/restart", ActionHandler),
    (r"servers/(.+)/logs", LogsHandler),
    (r"servers/(.+)/errors", ErrorsHandler),
    (r"servers/(.+)", ServerHandler),
    (r"events", EventsHandler),
    (r"ports", PortsHandler),
]


def routes_on(base: type[web.RequestHandler]) -> list[tuple[str, type[web.RequestHandler]]]:
    """``ROUTES`` with whole handlers.

    Args:
        base: knows about logins; defines ``is_permitted``.
    """
    whole: dict[type[RestHandler], type[web.RequestHandler]] = {}
    for _, part in ROUTES:
        # the part's own methods win, those of the base over the part's own base
        whole.setdefault(
            part, type(part.__name__, (part, base), {"__doc__": part.__doc__, "__module__": base.__module__})
        )
    return [(path, whole[part]) for path, part in ROUTES]
