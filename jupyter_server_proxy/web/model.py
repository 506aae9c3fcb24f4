"""What the REST API tells, as JSON values; docs/openapi.yaml has the schemas."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..supervise.facts import FailedRequest, Failure
from ..supervise.logs import Line
from ..supervise.server import ManagedServer
from .traffic import Traffic

if TYPE_CHECKING:
    from ..supervise.resources import Resources

#: Seconds after the end of a failed response in which lines of output still belong to it: pipes are slower.
LATE_OUTPUT = 0.25


def server_path(base_url: str, name: str) -> str:
    """The path of a server in the REST API."""
    return f"{base_url}server-proxy/api/servers/{quote(name)}"


def icon_path(base_url: str, server: ManagedServer) -> str | None:
    """The path of its icon, if it has one."""
    return f"{base_url}server-proxy/icon/{quote(server.spec.name)}" if server.spec.launcher.icon_path else None


def describe_server(
    server: ManagedServer, traffic: Traffic, base_url: str, resources: Resources | None = None
) -> dict[str, Any]:
    """One server.

    Args:
        server: in any state.
        traffic: that went through it.
        base_url: of Jupyter; begins and ends with "/".
        resources: that its processes use, if they were measured.
    """
    facts, spec = server.facts(), server.spec
    return {
        "name": spec.name,
        "title": spec.launcher.title or spec.name,
        "url": base_url + (spec.launcher.path_info or f"{spec.name}/").lstrip("/"),
        "icon_url": icon_path(base_url, server),
        "new_browser_tab": spec.new_browser_tab,
        "state": facts.state.value,
        "since": timestamp(facts.since),
        "stage": facts.stage.value if facts.stage else None,
        "managed": facts.managed,
        "autostart": spec.lifecycle.autostart,
        "restart_policy": spec.lifecycle.restart_policy,
        "idle_timeout": server.idle_timeout or None,
        "pid": facts.pid,
        "endpoint": facts.endpoint,
        "starts": facts.starts,
        "restarts": facts.restarts,
        "started": timestamp(facts.started),
        "start_seconds": _rounded(facts.start_seconds),
        "expected_start_seconds": _rounded(facts.expected_start_seconds),
        "failure": describe_failure(facts.failure) if facts.failure else None,
        "last_exit": {
            "code": facts.last_exit.code,
            "signal": facts.last_exit.signal,
            "time": timestamp(facts.last_exit.time),
        }
        if facts.last_exit
        else None,
        "requests_open": traffic.open,
        "websockets_open": traffic.websockets_open,
        "requests": traffic.requests,
        "errors": traffic.errors,
        "bytes_received": traffic.received,
        "bytes_sent": traffic.sent,
        "last_used": timestamp(facts.last_used),
        "process": {
            "cpu_percent": resources.cpu_percent,
            "memory_bytes": resources.memory_bytes,
            "count": resources.count,
        }
        if resources
        else None,
    }


def describe_failure(failure: Failure) -> dict[str, Any]:
    """Why a start failed."""
    return {
        "message": failure.message,
        "exit_code": failure.exit_code,
        "time": timestamp(failure.time),
        "retry_after": _rounded(failure.retry_after),
        "output": list(failure.output),
    }


def describe_line(line: Line, with_html: bool = False) -> dict[str, Any]:
    """One line of output.

    Args:
        line: as it was written.
        with_html: tell it as HTML, too.
    """
    described = {"number": line.number, "run": line.run, "time": timestamp(line.time), "text": line.text}
    if with_html:
        from .ansi import to_html

        described["html"] = to_html(line.text)
    return described


def describe_failed_request(failed: FailedRequest, lines: Iterable[Line]) -> dict[str, Any]:
    """A request that the server answered with a status of 500 or more, and the lines that it wrote meanwhile."""
    return {
        "request_id": failed.request_id,
        "time": timestamp(failed.time),
        "method": failed.method,
        "path": failed.path,
        "status": failed.status,
        "lines": [describe_line(line) for line in lines],
    }


def timestamp(seconds: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339 says, with milliseconds."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
