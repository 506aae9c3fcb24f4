"""Error answers: a page for people at a browser, JSON or a line of text for everything else. Everything is escaped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from html import escape
from http import HTTPStatus

from ..errors import ProxyError, StartFailed, UpgradeRequired, VersionRequired
from ..rules.fields import Pairs
from ..rules.headers import is_navigation

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 46rem; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
pre {{ border: 1px solid; border-radius: 4px; overflow: auto; padding: 1rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{message}</p>
{output}</main>
</body>
</html>
"""

_PAGE_FIELDS: Pairs = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"),
]


def reason_phrase(status: int) -> str:
    """The standard reason phrase of a status (RFC 9110 15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def render_error(error: ProxyError, method: str, get: Callable[[str], str | None]) -> tuple[Pairs, bytes]:
    """The fields and the body of the answer that reports an error.

    Args:
        error: what happened.
        method: of the request.
        get: gives a field of the request.
    """
    fields: Pairs = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if error.retry_after is not None:
        fields.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))
    fields += _fields_of_status(error)
    output = "\n".join(error.output) if isinstance(error, StartFailed) else ""
    if is_navigation(method, get):
        fields += _PAGE_FIELDS
        body = _PAGE.format(
            title=escape(f"{error.status} {reason_phrase(error.status)}"),
            message=escape(error.message),
            output=f"<h2>Its last output</h2>\n<pre>{escape(output)}</pre>\n" if output else "",
        )
    elif "json" in (get("Accept") or ""):
        fields.append(("Content-Type", "application/json"))
        content: dict[str, object] = {"status": error.status, "message": error.message}
        if isinstance(error, StartFailed):
            content |= {"exit_code": error.exit_code, "output": list(error.output)}
        body = json.dumps(content)
    else:
        fields.append(("Content-Type", "text/plain; charset=utf-8"))
        body = f"{error.message}\n" + (f"\n{output}\n" if output else "")
    encoded = body.encode()
    fields.append(("Content-Length", str(len(encoded))))
    return fields, encoded


def _fields_of_status(error: ProxyError) -> Pairs:
    """Fields without which the status must not be sent (RFC 9110 15.5.6 and 15.5.22)."""
    if isinstance(error, UpgradeRequired):
        return [("Allow", "GET")]
    if isinstance(error, VersionRequired):
        return [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
    return []
