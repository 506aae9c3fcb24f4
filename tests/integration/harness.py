"""A real Jupyter server as a child process, and a client that sends exactly what it is told.

Used by the integration tests through the fixtures of ``conftest.py``; ``bench`` uses it, too.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

APPS = Path(__file__).parent / "apps"

#: The application most tests talk to; see its docstring for what it can do.
ECHO = [sys.executable, str(APPS / "echo.py"), "--port={port}", "--unix-socket={unix_socket}"]

#: Seconds that a server may take to come up, or to go away, on a busy machine.
PATIENCE = 60.0


def free_port() -> int:
    """A TCP port on which nothing listens just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
    """Poll until ``condition`` gives something true, and return that; fail with ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.02)
    return result


@dataclass
class Answer:
    """A response, whole."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def get_all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Jupyter:
    """A Jupyter server with its own configuration, data and runtime directories.

    Args:
        directory: private to this server.
        config: Python text for ``jupyter_server_config.py``; ``ECHO`` and ``sys`` are defined in it.
        base_url: begins and ends with "/".
        arguments: more command-line arguments.
        environment: more environment variables.
        certificate: (certificate file, key file) to serve TLS.
        python: of the environment that it runs in.
        log_level: of its log.
        extensions: of the server, to be loaded besides those that its environment enables.
    """

    def __init__(
        self,
        directory: Path,
        config: str = "",
        *,
        base_url: str = "/",
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        certificate: tuple[str, str] | None = None,
        python: str = sys.executable,
        log_level: str = "DEBUG",
        extensions: tuple[str, ...] = ("jupyter_server_proxy",),
    ) -> None:
        self.directory = directory
        self.base_url = base_url
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.certificate = certificate
        self._cookie = ""
        self._log_file = directory / "jupyter.log"
        configs = directory / "config"
        configs.mkdir(parents=True)
        prelude = f"import sys\nECHO = {ECHO!r}\nc = get_config()\n"
        (configs / "jupyter_server_config.py").write_text(prelude + config)
        command = [
            python, "-m", "jupyter_server", "--no-browser", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.base_url={base_url}",
            f"--ServerApp.root_dir={directory}",
            f"--ServerApp.jpserver_extensions={json.dumps(dict.fromkeys(extensions, True))}".replace("true", "True"),
            f"--log-level={log_level}", *arguments,
        ]  # fmt: skip
        if certificate is not None:
            command += [f"--ServerApp.certfile={certificate[0]}", f"--ServerApp.keyfile={certificate[1]}"]
        if os.geteuid() == 0:
            command.append("--allow-root")
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self._environment(environment), cwd=directory, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        own = {
            "JUPYTER_CONFIG_DIR": str(self.directory / "config"),
            "JUPYTER_DATA_DIR": str(self.directory / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.directory / "runtime"),
            "JUPYTER_TOKEN": self.token,
            "HOME": str(self.directory),
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **own, **(more or {})}

    # ---- life

    def wait_ready(self) -> Jupyter:
        """Wait until it answers."""
        wait_until(self._answers, "Jupyter to start")
        return self

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"Jupyter ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.request("GET", "api", timeout=5).status == 200
        except OSError:
            return False

    def log(self) -> str:
        """What it has logged so far."""
        return self._log_file.read_text(errors="replace")

    def descendants(self) -> list[psutil.Process]:
        """Its child processes, and theirs."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """Stop it; what it leaves behind is ended by force."""
        left = self.descendants()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    # ---- traffic

    def path(self, path: str) -> str:
        """The path of a URL below the base URL."""
        return self.base_url + path

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        """A connection; its ``putrequest`` sends the target as it is given."""
        if self.certificate is not None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        login: bool = True,
        timeout: float = PATIENCE,
    ) -> Answer:
        """One request on a connection of its own; nothing is followed, decoded, or added but the login."""
        connection = self.connect(timeout)
        try:
            lines = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
            named = any(name.lower() == "host" for name, _ in lines)
            connection.putrequest(method, self.path(path), skip_accept_encoding=True, skip_host=named)
            if login:
                lines.append(("Authorization", f"token {self.token}"))
            if body is not None:
                lines.append(("Content-Length", str(len(body))))
            for name, value in lines:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.getheaders(), response.read())
        finally:
            connection.close()

    def login_cookie(self) -> str:
        """A Cookie field that logs in."""
        if not self._cookie:
            set_cookies = self.request("GET", f"server-proxy/servers-info?token={self.token}", login=False).get_all(
                "Set-Cookie"
            )
            self._cookie = "; ".join(value.partition(";")[0] for value in set_cookies if value.startswith("username-"))
        return self._cookie

    def get(self, path: str, **options: Any) -> Answer:
        """``request("GET", ...)``"""
        return self.request("GET", path, **options)

    def websocket_url(self, path: str, *, login: bool = True) -> str:
        """For a websocket client."""
        scheme = "wss" if self.certificate is not None else "ws"
        joint = "&" if "?" in path else "?"
        query = f"{joint}token={self.token}" if login else ""
        return f"{scheme}://127.0.0.1:{self.port}{self.path(path)}{query}"

    def raw(self, timeout: float = PATIENCE) -> socket.socket:
        """A plain TCP connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)


def process_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie counts as ended)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def words_of(process: psutil.Process) -> list[str]:
    """The command of a process; none of one that has ended while it was looked at."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def lines_of(log: str, pattern: str) -> list[str]:
    """The lines of a log that a regular expression finds."""
    return [line for line in log.splitlines() if re.search(pattern, line)]


@contextlib.contextmanager
def background(command: list[str], ready: Callable[[], Any], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that a test needs beside Jupyter; killed at the end."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        wait_until(ready, f"{command} to be ready")
        yield process
    finally:
        process.kill()
        process.wait()


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on a TCP port."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


class Listener:
    """A socket that tells whether anybody connected."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def dialled(self) -> bool:
        """Whether somebody has connected since the last time."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
