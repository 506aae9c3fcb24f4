"""Why a request was not served: which page or answer an error becomes, with what the supervisor knows about it."""

from __future__ import annotations

import os
import time

from tornado.httputil import HTTPServerRequest

from ..errors import ConnectFailed, ProxyError, ServerUnavailable, StartFailed, StillStarting
from ..rules.fields import Pairs
from ..rules.headers import is_navigation
from ..supervise.server import ManagedServer
from .destinations import AddressDestination, Route, ServerDestination
from .model import icon_path, server_path
from .pages import (
    DeadPortView,
    FailureView,
    PortRow,
    WaitingView,
    render_dead_port,
    render_error,
    render_failure,
    render_waiting,
)
from .runtime import Runtime

#: Lines of output that a page shows to begin with.
OUTPUT_LINES = 200


async def explain(error: ProxyError, request: HTTPServerRequest, route: Route, runtime: Runtime) -> tuple[Pairs, bytes]:
    """The fields and the body of the answer to a request that has failed.

    Args:
        error: why.
        request: the client's.
        route: where it was to go.
        runtime: knows the servers.
    """
    destination = route.destination
    if is_navigation(request.method or "", request.headers.get):
        if isinstance(error, ServerUnavailable) and isinstance(destination, ServerDestination):
            server = runtime.supervisor.get(destination.name)
            if server is not None and server.is_managed:
                return _explain_server(error, server, runtime)
        if (
            isinstance(error, ConnectFailed)
            and isinstance(destination, AddressDestination)
            and destination.host is None
        ):
            return await _explain_port(destination.port, runtime)
    return render_error(error, request.method or "", request.headers.get, frame_ancestors=_frame_ancestors(runtime))


def _explain_server(error: ProxyError, server: ManagedServer, runtime: Runtime) -> tuple[Pairs, bytes]:
    facts, name = server.facts(), server.spec.name
    title, ancestors = server.spec.launcher.title or name, _frame_ancestors(runtime)
    api_url, icon_url = server_path(runtime.base_url, name), icon_path(runtime.base_url, server) or ""
    if isinstance(error, StillStarting):
        waiting = WaitingView(
            name,
            title,
            api_url,
            icon_url,
            stage=facts.stage.value if facts.stage else None,
            elapsed=time.time() - facts.since,
            expected=facts.expected_start_seconds,
            output=server.logs.tail(OUTPUT_LINES),
        )
        return render_waiting(waiting, frame_ancestors=ancestors)
    failure = facts.failure
    view = FailureView(
        name,
        title,
        error.message,
        api_url,
        icon_url,
        exit_code=error.exit_code if isinstance(error, StartFailed) else None,
        command=failure.command if failure is not None else "",
        output=error.output if isinstance(error, StartFailed) else (),
        retry_after=error.retry_after,
        failed_at=failure.time if failure is not None else None,
        status=error.status,
    )
    return render_failure(view, frame_ancestors=ancestors)


async def _explain_port(port: int, runtime: Runtime) -> tuple[Pairs, bytes]:
    from .ports import describe_ports  # with psutil, which is slow to load

    try:
        described = await describe_ports(
            runtime.application.settings, runtime.supervisor, runtime.base_url, os.getpid()
        )
    except Exception:
        runtime.log.exception("The ports on which applications listen cannot be listed")
        described = []
    ports = tuple(
        PortRow.of(one)
        for one in described
        if runtime.policy.allows_port(one["port"]) and (one["owner"] or {}).get("kind") != "jupyter"
    )
    return render_dead_port(DeadPortView(port, ports), frame_ancestors=_frame_ancestors(runtime))


def _frame_ancestors(runtime: Runtime) -> str:
    """Who may frame Jupyter's pages may frame ours."""
    headers = runtime.application.settings.get("headers") or {}
    for directive in str(headers.get("Content-Security-Policy", "")).split(";"):
        name, _, sources = directive.strip().partition(" ")
        if name.lower() == "frame-ancestors" and sources.strip():
            return sources.strip()
    return "'self'"
