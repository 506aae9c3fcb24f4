"""Just enough of Bokeh's protocol to see that a session lives: used for dask's dashboards and for Panel."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from websockets.sync.client import connect


def token_of(page: str) -> str:
    """The session token that a page of a Bokeh server carries."""
    found = re.search(r'"token":\s*"([^"]+)"', page)
    assert found, f"no Bokeh session in {page[:500]!r}"
    return found[1]


def session_of(token: str) -> str:
    """The session id within a token."""
    payload = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["session_id"])


def pull(url: str, token: str) -> dict[str, Any]:
    """Open a session's websocket and ask for the document.

    Args:
        url: of the websocket, ``ws://.../ws``.
        token: as of ``token_of``.
    """
    with connect(url, subprotocols=["bokeh", token], proxy=None, max_size=None, open_timeout=30) as channel:  # type: ignore[list-item]
        assert channel.subprotocol == "bokeh"
        assert _receive(channel)[0]["msgtype"] == "ACK"
        for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            channel.send(json.dumps(part))
        while True:
            header, content = _receive(channel)
            if header["msgtype"] == "PULL-DOC-REPLY":
                document: dict[str, Any] = content["doc"]
                return document


def _receive(channel: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    header, _metadata, content = (json.loads(channel.recv(timeout=30)) for _ in range(3))
    for _ in range(header.get("num_buffers", 0)):
        channel.recv(timeout=30), channel.recv(timeout=30)
    return header, content
