"""Error answers: P9, S9."""

from __future__ import annotations

import json

import pytest

from jupyter_server_proxy.errors import ConnectFailed, ServerUnavailable, StartFailed
from jupyter_server_proxy.web.pages import reason_phrase, render_error


def render(error, accept: str = "*/*", method: str = "GET"):
    fields, body = render_error(error, method, {"Accept": accept}.get)
    return dict(fields), body.decode()


FAILED = StartFailed(
    "server '<b>' exited with status 1",
    exit_code=1,
    output=("<script>alert(1)</script>", "bye"),
    detail="hidden",
    retry_after=0.2,
)


def test_s9_a_page_is_escaped_and_tells_nothing_hidden() -> None:
    fields, body = render(FAILED, "text/html")
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Content-Security-Policy"].startswith("default-src 'none'")
    assert fields["Retry-After"] == "1"
    assert "server &#39;&lt;b&gt;&#39; exited" in body
    assert "<div>&lt;script&gt;alert(1)&lt;/script&gt;</div><div>bye</div>" in body
    assert "<script>" not in body
    assert "hidden" not in body


def test_json() -> None:
    fields, body = render(FAILED, "application/json")
    assert fields["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "status": 503,
        "message": FAILED.message,
        "exit_code": 1,
        "output": ["<script>alert(1)</script>", "bye"],
    }


def test_text() -> None:
    fields, body = render(ConnectFailed("Nothing answers on é:1.", detail="hidden"))
    assert fields["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Content-Length"] == str(len(body.encode()))
    assert body == "Nothing answers on é:1.\n"
    assert "Retry-After" not in fields


def test_a_post_gets_no_page() -> None:
    assert "html" not in render(FAILED, "text/html", "POST")[0]["Content-Type"]


@pytest.mark.parametrize(("seconds", "field"), [(0.0, "1"), (1.0, "1"), (1.1, "2"), (60, "60")])
def test_retry_after_is_in_whole_seconds(seconds: float, field: str) -> None:
    assert render(ServerUnavailable("x", retry_after=seconds))[0]["Retry-After"] == field


def test_reason_phrases() -> None:
    assert reason_phrase(503) == "Service Unavailable"
    assert reason_phrase(799) == "Unknown"
