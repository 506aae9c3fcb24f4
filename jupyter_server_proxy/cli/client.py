"""A client of the REST API (docs/openapi.yaml), with the standard library alone."""

from __future__ import annotations

import contextlib
import difflib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .failure import ExitCode, Failure
from .running import RunningJupyter

#: Seconds until an answer that does not wait for anything must have come.
TIMEOUT = 30.0

#: Seconds without a byte after which a stream of events is lost: each 15 seconds there is a sign of life.
STREAM_TIMEOUT = 60.0

_API = "server-proxy/api/"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket.

    Args:
        path: of the socket.
        timeout: in seconds; None for no limit.
    """

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Asks one Jupyter server.

    Args:
        jupyter: that is asked.
    """

    def __init__(self, jupyter: RunningJupyter) -> None:
        self.jupyter = jupyter

    # ---- the API

    def servers(self) -> list[dict[str, Any]]:
        """All servers.

        Raises:
            Failure: as all methods of this class; Jupyter cannot be asked.
        """
        found = self._call("GET", "servers").get("servers")
        if not isinstance(found, list):
            raise self._not_ours()
        return found

    def find(self, *names: str) -> list[dict[str, Any]]:
        """The servers of these names.

        Raises:
            Failure: one of them is not known.
        """
        known = {server["name"]: server for server in self.servers()}
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(known)) or 'none'}."
                raise Failure(f"There is no server {name!r}. {hint}", ExitCode.UNKNOWN_SERVER)
        return [known[name] for name in names]

    def act(self, name: str, action: str, wait: bool = False) -> dict[str, Any]:
        """Start, stop or restart a server.

        Args:
            name: of the server.
            action: "start", "stop" or "restart".
            wait: until it is ready, however long that takes.
        """
        query = {"wait": "1"} if wait else {}
        timeout = None if wait or action != "start" else TIMEOUT
        return self._call("POST", f"servers/{quote(name)}/{action}", query, timeout)

    def logs(self, name: str, tail: int) -> dict[str, Any]:
        """The last lines of a server's output."""
        return self._call("GET", f"servers/{quote(name)}/logs", {"tail": str(tail)})

    def follow(self, name: str, tail: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the data of each event of a server: "line", "state", "gap". Ends when Jupyter ends it.

        Raises:
            Failure: it cannot be asked, or the connection is lost.
        """
        path = f"servers/{quote(name)}/logs?{urlencode({'tail': tail, 'follow': 1})}"
        with contextlib.closing(self._connect(STREAM_TIMEOUT)) as connection, self._explained():
            response = self._send(connection, "GET", _API + path, self._headers())
            if response.status != 200:
                raise self._explain(response.status, response.read())
            yield from parse_events(response)

    # ---- HTTP

    def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, timeout: float | None = TIMEOUT
    ) -> dict[str, Any]:
        target = _API + path + (f"?{urlencode(query)}" if query else "")
        headers = self._headers()
        if method == "POST" and not self.jupyter.token:
            headers |= self._xsrf_headers()
        status, body = self._request(method, target, headers, timeout)
        if not 200 <= status < 300:
            raise self._explain(status, body)
        content = _parse(body)
        if content is None:
            raise self._not_ours()
        return content

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], timeout: float | None = TIMEOUT
    ) -> tuple[int, bytes]:
        with contextlib.closing(self._connect(timeout)) as connection, self._explained():
            response = self._send(connection, method, path, headers)
            return response.status, response.read()

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        body = b"" if method == "POST" else None
        connection.request(method, quote(self.jupyter.base_url, safe="/%@:~!$&'()*+,;=") + path, body, dict(headers))
        return connection.getresponse()

    def _headers(self) -> dict[str, str]:
        token = self.jupyter.token
        return {"Accept": "application/json"} | ({"Authorization": f"token {token}"} if token else {})

    def _xsrf_headers(self) -> dict[str, str]:
        """Where no token is needed, Jupyter wants its cookie back, as from a page."""
        with contextlib.closing(self._connect(TIMEOUT)) as connection, self._explained():
            response = self._send(connection, "GET", _API + "servers", self._headers())
            response.read()
        cookies = [value.partition(";")[0] for value in response.headers.get_all("Set-Cookie", [])]
        xsrf = [cookie.partition("=")[2] for cookie in cookies if cookie.startswith("_xsrf=")]
        return {"Cookie": "; ".join(cookies), "X-XSRFToken": xsrf[0]} if xsrf else {}

    def _connect(self, timeout: float | None) -> http.client.HTTPConnection:
        if self.jupyter.socket:
            return _UnixConnection(self.jupyter.socket, timeout)
        parts = urlsplit(self.jupyter.url)
        if parts.scheme != "https":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        context = ssl.create_default_context()
        if not self.jupyter.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=context)

    # ---- what went wrong

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        place = self.jupyter.place
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            reason = error.verify_message
            raise Failure(
                f"The certificate of {place} is not trusted: {reason}. SSL_CERT_FILE can name the file of its CA.",
                ExitCode.NO_JUPYTER,
            ) from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            what = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Failure(f"Jupyter at {place} does not answer: {what}.", ExitCode.NO_JUPYTER) from None

    def _explain(self, status: int, body: bytes) -> Failure:
        """Why an answer is not what was asked for."""
        place = self.jupyter.place
        content = _parse(body)
        if status in (401, 403) or 300 <= status < 400:
            if self._is_logged_in():
                return Failure(f"Jupyter at {place} does not permit that to you.")
            known = "does not accept the token" if self.jupyter.token else "asks for a login"
            return Failure(f"Jupyter at {place} {known}. Set JUPYTER_TOKEN, or use --token.", ExitCode.NO_JUPYTER)
        if content is None or (status == 404 and not str(content.get("message", "")).startswith("There is no server ")):
            return self._not_ours()
        details: dict[str, Any] = {key: content[key] for key in ("exit_code", "output") if key in content}
        code = ExitCode.UNKNOWN_SERVER if status == 404 else ExitCode.FAILED
        return Failure(str(content.get("message") or f"Jupyter answered with status {status}."), code, details)

    def _is_logged_in(self) -> bool:
        return self._request("GET", "api/me", self._headers())[0] == 200

    def _not_ours(self) -> Failure:
        return Failure(
            f"Jupyter at {self.jupyter.place} has no jupyter-server-proxy that can be asked. "
            "jupyter server-proxy doctor tells whether the extension is enabled; Jupyter must have been started since.",
            ExitCode.NO_JUPYTER,
        )


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def parse_events(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events (WHATWG HTML 9.2.6) whose data are JSON objects."""
    event, data = "message", []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif not line:
            if data:
                yield event, json.loads("\n".join(data))
            event, data = "message", []
