"""What people at a browser see instead of an application: it is starting, it has failed, nothing listens, other errors.

Everything else gets JSON or a line of text. Pages are one document each, without anything to load but an icon, and work
without their script. Everything is escaped, and the Content-Security-Policy allows our style sheet and script by their
hashes, and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import math
import signal
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ProxyError, StartFailed, UpgradeRequired, VersionRequired
from ..rules.fields import Pairs
from ..rules.headers import is_navigation

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

#: Seconds after which a page that waits looks again, where it has no script.
REFRESH = 2

#: Lines of output in a page.
MAX_OUTPUT = 500

#: Steps of a start, in order: name in the API, what is said when it is done, and what while it is not.
_STEPS = (
    ("process", "Process started", "Starting the process."),
    ("port", "Port open", "Waiting until it opens its port."),
    ("answer", "First answer", "Waiting for its first answer."),
)


class WaitingView(NamedTuple):
    """A server that is starting.

    Args:
        name: of the server.
        title: for people; the name where there is none.
        api_url: path of the server in the REST API: base URL included, percent-encoded.
        icon_url: path of its icon, or "".
        stage: what its start has reached last: None, "process", "port" or "answer".
        elapsed: seconds since the start began.
        expected: seconds that it will probably take; None if nobody knows.
        output: the last lines that this process wrote; may hold terminal sequences.
        cancellable: the API may stop it.
    """

    name: str
    title: str
    api_url: str
    icon_url: str = ""
    stage: str | None = None
    elapsed: float = 0.0
    expected: float | None = None
    output: tuple[str, ...] = ()
    cancellable: bool = True


class FailureView(NamedTuple):
    """A server that could not be started.

    Args:
        name: of the server.
        title: for people; the name where there is none.
        message: why; names the remedy and holds no secret.
        api_url: path of the server in the REST API: base URL included, percent-encoded.
        icon_url: path of its icon, or "".
        exit_code: of its process; minus the number of the signal that ended it; None if there is none.
        command: its words, secrets masked; "" where there is none.
        output: its last lines; may hold terminal sequences.
        retry_after: seconds until opening the page starts it again; None or 0 for at once.
        failed_at: in seconds since the epoch; None if it is not known.
        status: of the answer.
    """

    name: str
    title: str
    message: str
    api_url: str
    icon_url: str = ""
    exit_code: int | None = None
    command: str = ""
    output: tuple[str, ...] = ()
    retry_after: float | None = None
    failed_at: float | None = None
    status: int = 503


class PortRow(NamedTuple):
    """A port on which somebody listens.

    Args:
        port: its number.
        url: path that leads there.
        process: name of the process that listens.
        owner: to whom it belongs, in words, or "".
    """

    port: int
    url: str
    process: str = ""
    owner: str = ""

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> PortRow:
        """From what the REST API tells of a port; see ``web.ports``."""
        return cls(described["port"], described["url"], described["process"], _describe_owner(described["owner"]))


class DeadPortView(NamedTuple):
    """A port on which nobody listens.

    Args:
        port: its number.
        ports: those on which somebody does.
    """

    port: int
    ports: tuple[PortRow, ...] = ()


# ---- the pages


def render_waiting(view: WaitingView, *, frame_ancestors: str = "'self'") -> tuple[Pairs, bytes]:
    """The fields and the body of the page of a server that is starting; its status is 503.

    Args:
        view: the server.
        frame_ancestors: who may show the page in a frame (Content-Security-Policy Level 3, 6.4.2).
    """
    reached = [name for name, _, _ in _STEPS].index(view.stage) + 1 if view.stage else 0
    steps = [
        {"name": name, "done": done, "doing": doing, "state": _state_of_step(number, reached)}
        for number, (name, done, doing) in enumerate(_STEPS)
    ]
    expected = view.expected if view.expected and view.expected > 0 else None
    content = {
        "view": view,
        "title": view.title or view.name,
        "steps": steps,
        "doing": steps[reached]["doing"] if reached < len(steps) else "It answers.",
        "elapsed": describe_seconds(math.floor(view.elapsed)),
        "expected": describe_seconds(max(1, expected)) if expected else "",
        "expected_seconds": expected,
        "progress": min(view.elapsed / expected, 0.97) if expected else 0,
        "refresh": REFRESH,
        "output": _output(view.output),
    }
    fields: Pairs = [("Retry-After", str(REFRESH))]
    return _page("waiting.html", content, fields, frame_ancestors, script=True)


def render_failure(view: FailureView, *, frame_ancestors: str = "'self'") -> tuple[Pairs, bytes]:
    """The fields and the body of the page of a server that could not be started.

    Args:
        view: the server.
        frame_ancestors: as for ``render_waiting``.
    """
    failed_at = datetime.fromtimestamp(view.failed_at, timezone.utc) if view.failed_at is not None else None
    pause = math.ceil(view.retry_after) if view.retry_after and view.retry_after > 0 else 0
    content = {
        "view": view,
        "title": view.title or view.name,
        "exit_status": describe_exit_code(view.exit_code) if view.exit_code is not None else "",
        "pause": describe_seconds(pause) if pause else "",
        "failed_at": failed_at,
        "output": _output(view.output),
    }
    fields: Pairs = [("Retry-After", str(pause))] if pause else []
    return _page("failure.html", content, fields, frame_ancestors, script=True)


def render_dead_port(view: DeadPortView, *, frame_ancestors: str = "'self'") -> tuple[Pairs, bytes]:
    """The fields and the body of the page of a port on which nobody listens; its status is 502.

    Args:
        view: the port.
        frame_ancestors: as for ``render_waiting``.
    """
    content = {"view": view, "ports": sorted(view.ports, key=lambda row: row.port)}
    return _page("dead_port.html", content, [], frame_ancestors)


def render_error(
    error: ProxyError, method: str, get: Callable[[str], str | None], *, frame_ancestors: str = "'self'"
) -> tuple[Pairs, bytes]:
    """The fields and the body of the answer that reports an error: a page for people, or JSON, or a line of text.

    Args:
        error: what happened.
        method: of the request.
        get: gives a field of the request.
        frame_ancestors: as for ``render_waiting``.
    """
    fields: Pairs = []
    if error.retry_after is not None:
        fields.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))
    fields += _fields_of_status(error)
    output = error.output if isinstance(error, StartFailed) else ()
    if is_navigation(method, get):
        content = {
            "status": error.status,
            "title": reason_phrase(error.status),
            "message": error.message,
            "output": _output(output),
        }
        return _page("error.html", content, fields, frame_ancestors)
    if "json" in (get("Accept") or ""):
        told: dict[str, object] = {"status": error.status, "message": error.message}
        if isinstance(error, StartFailed):
            told |= {"exit_code": error.exit_code, "output": list(output)}
        return _answer(fields, "application/json", json.dumps(told))
    text = "".join(f"{line}\n" for line in output)
    return _answer(fields, "text/plain; charset=utf-8", f"{error.message}\n" + (f"\n{text}" if text else ""))


# ---- words


def reason_phrase(status: int) -> str:
    """The standard reason phrase of a status (RFC 9110 15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def describe_seconds(seconds: float) -> str:
    """A time as people say it: "8 s", "1 min 5 s"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


#: What the exit statuses of shells and the signals that end processes usually mean.
_USUAL_REASONS = {
    126: "the program may not be executed",
    127: "a program was not found",
    134: "it aborted itself",
    137: "it was killed, often because there was not enough memory",
    139: "it crashed",
    143: "it was asked to end",
}


def describe_exit_code(code: int) -> str:
    """How a process ended, and what that usually means.

    Args:
        code: minus the number of the signal that ended it, if one did; shells tell 128 and that number instead.
    """
    if code >= 0:
        words = str(code)
    else:
        words = f"Ended by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"Ended by signal {-code}"
    reason = _USUAL_REASONS.get(128 - code if code < 0 else code)
    return f"{words}: {reason}" if reason else words


def _describe_owner(owner: Mapping[str, Any] | None) -> str:
    if owner is None:
        return ""
    if owner["kind"] == "kernel":
        notebook = owner.get("notebook")
        return f"Kernel of {notebook}" if notebook else f"Kernel {owner['name']}"
    if owner["kind"] == "jupyter":
        return "Jupyter"
    return f"{str(owner['kind']).capitalize()} {owner['name']}"


def _state_of_step(number: int, reached: int) -> str:
    return "done" if number < reached else "current" if number == reached else "ahead"


# ---- answers


def _output(lines: Iterable[str]) -> list[str]:
    from .ansi import lines_to_html  # slow to load, and few pages have output

    return lines_to_html(list(lines)[-MAX_OUTPUT:])


def _page(
    template: str, content: Mapping[str, Any], fields: Pairs, frame_ancestors: str, *, script: bool = False
) -> tuple[Pairs, bytes]:
    environment, style, code = _load()
    body = environment.get_template(template).render(content, style=style, script=code if script else None)
    policy = [
        "default-src 'none'", f"style-src {_hash(style)}", *([f"script-src {_hash(code)}"] if script else []),
        "connect-src 'self'", "img-src 'self'", "base-uri 'none'", "form-action 'none'",
        f"frame-ancestors {frame_ancestors}",
    ]  # fmt: skip
    more: Pairs = [("Content-Security-Policy", "; ".join(policy)), ("Referrer-Policy", "same-origin")]
    return _answer(fields + more, "text/html; charset=utf-8", body)


def _answer(fields: Pairs, content_type: str, body: str) -> tuple[Pairs, bytes]:
    encoded = body.encode(errors="replace")
    own: Pairs = [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Type", content_type),
        ("Content-Length", str(len(encoded))),
    ]
    return own + fields, encoded


def _fields_of_status(error: ProxyError) -> Pairs:
    """Fields without which the status must not be sent (RFC 9110 15.5.6 and 15.5.22)."""
    if isinstance(error, UpgradeRequired):
        return [("Allow", "GET")]
    if isinstance(error, VersionRequired):
        return [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
    return []


@functools.cache
def _load() -> tuple[Environment, str, str]:
    """The templates, the style sheet and the script; made when the first page is asked for."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters["html_of_output"] = Markup  # what ``ansi`` has escaped
    style = Markup("\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "ansi.css")))
    return environment, style, Markup((_TEMPLATES / "page.js").read_text(encoding="utf-8"))


@functools.cache
def _hash(text: str) -> str:
    """A source expression that allows exactly this text (Content-Security-Policy Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
