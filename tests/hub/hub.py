"""A real JupyterHub with configurable-http-proxy, and people who use it: with a browser's cookies, or with tokens."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import requests
from harness import ECHO, PATIENCE, free_port, process_gone, wait_until

#: What every Hub of these tests has in its configuration; ``STANDALONE`` begins a command of a spawner.
PRELUDE = """
import os, sys, jupyterhub
c = get_config()
ECHO = {echo!r}
STANDALONE = [sys.executable, "-m", "jupyter_server_proxy.standalone"]
SHARES = ["shares"] if jupyterhub.version_info >= (5,) else []
ROOT = ["--allow-root"] if os.geteuid() == 0 else []
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{base_url}"
c.JupyterHub.hub_bind_url = "{internal}://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "{internal}://127.0.0.1:{api_port}"
c.JupyterHub.internal_ssl = {internal!r} == "https"
c.JupyterHub.internal_certs_location = "{directory}/certs"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.db_url = "sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{directory}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = {{"ann", "ben", "cleo"}}
c.Authenticator.admin_users = set()
c.JupyterHub.spawner_class = "jupyterhub.spawner.SimpleLocalProcessSpawner"
c.SimpleLocalProcessSpawner.home_dir_template = "{directory}/home/{{username}}"
c.Spawner.http_timeout = 60
c.Spawner.notebook_dir = ""
c.JupyterHub.allow_named_servers = True
c.JupyterHub.log_level = "DEBUG"
c.JupyterHub.services = [{{"name": "tester", "api_token": {api_token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "tester", "services": ["tester"],
      "scopes": ["admin:users", "admin:servers", "admin:server_state", "tokens", *SHARES, "admin:groups", "groups"]}},
    {{"name": "user",
      "scopes": ["self", *(f"{{scope}}!user" for scope in SHARES), "read:users:name", "read:groups:name"]}},
]
"""


def proxy_command() -> str:
    """Where configurable-http-proxy is; it is installed if it is not there."""
    done = subprocess.run(
        [str(Path(__file__).parent / "install-proxy")], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    return done.stdout.strip()


class Hub:
    """A JupyterHub of its own.

    Args:
        directory: private to it.
        config: Python text that follows ``PRELUDE``.
        base_url: begins and ends with "/".
        internal_tls: its parts speak TLS with each other, and show certificates.
    """

    def __init__(self, directory: Path, config: str = "", *, base_url: str = "/", internal_tls: bool = False) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.base_url = base_url
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}{base_url}"
        self.password = secrets.token_hex(8)
        self.api_token = secrets.token_hex(16)
        self._log_file = directory / "hub.log"
        text = PRELUDE.format(
            echo=ECHO, port=self.port, hub_port=free_port(), api_port=free_port(), proxy=proxy_command(),
            internal="https" if internal_tls else "http",
            directory=directory, base_url=base_url, password=self.password, api_token=self.api_token,
        )  # fmt: skip
        (directory / "config.py").write_text(text + config)
        environment = {
            **os.environ,
            "HOME": str(directory / "home"),
            "PYTHONUNBUFFERED": "1",
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
            "JUPYTER_CONFIG_DIR": str(directory / "jupyter-config"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        (directory / "home").mkdir()
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(directory / "config.py")], env=environment,
                cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self) -> Hub:
        """Until it serves."""
        wait_until(self._serves, f"JupyterHub serves; its log:\n{self.log[-3000:]}")
        return self

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            if requests.get(f"{self.url}hub/api", timeout=5).status_code == 200:
                return True
        except requests.ConnectionError:
            pass
        time.sleep(0.2)  # the proxy is there before the Hub, and logs much of each request meanwhile
        return False

    @property
    def log(self) -> str:
        """Of the Hub, its proxy, and the servers that it has spawned."""
        return self._log_file.read_text(errors="replace")

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """A request to the Hub's REST API, with the rights of an administrator."""
        headers = {"Authorization": f"token {self.api_token}"}
        return requests.request(method, f"{self.url}hub/api/{path}", headers=headers, timeout=60, **options)

    def token(self, user: str, **options: Any) -> str:
        """A new token of a user."""
        answer = self.api("POST", f"users/{user}/tokens", json=options)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def user(self, name: str) -> dict[str, Any]:
        """What the Hub knows about a user."""
        model: dict[str, Any] = self.api("GET", f"users/{name}").json()
        return model

    def spawn(self, user: str, server: str = "", *, wait: bool = True, **options: Any) -> None:
        """Have a server started, as if a user had pressed the button."""
        self.api("POST", f"users/{user}")
        path = f"users/{user}/servers/{server}" if server else f"users/{user}/server"
        answer = self.api("POST", path, json=options)
        assert answer.status_code in (201, 202), answer.text
        if wait:
            wait_until(lambda: self._is_ready(user, server), f"{user}'s server is ready:\n{self.log[-3000:]}")

    def _is_ready(self, user: str, server: str) -> bool:
        model = self.user(user)["servers"].get(server)
        return bool(model and model["ready"])

    def stop_server(self, user: str, server: str = "") -> None:
        """Have a server stopped, and wait until it is."""
        path = f"users/{user}/servers/{server}" if server else f"users/{user}/server"
        answer = self.api("DELETE", path)
        assert answer.status_code in (202, 204), answer.text
        wait_until(lambda: server not in self.user(user)["servers"], "the server has stopped")

    def pid(self, user: str, server: str = "") -> int:
        """Of the process that the Hub has spawned."""
        answer = self.api("GET", f"users/{user}?include_stopped_servers", params={"include_stopped_servers": ""})
        return int(answer.json()["servers"][server]["state"]["pid"])

    def stop(self) -> None:
        """End it, its proxy, and its servers."""
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for process in family:  # servers that were spawned by us, and are ours to end
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass


class Browser:
    """Somebody at a browser: cookies, redirects, and the fields that browsers send.

    Args:
        hub: where they go.
        user: who logs in; nobody without.
    """

    def __init__(self, hub: Hub, user: str | None = None) -> None:
        self.hub = hub
        self.session = requests.Session()
        self.session.trust_env = False
        if user is not None:
            self.log_in(user)

    def log_in(self, user: str) -> None:
        """By the form of the Hub."""
        page = self.open("hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf, page.text
        answer = self.session.post(
            f"{self.hub.url}hub/login",
            params={"next": f"{self.hub.base_url}hub/home"},
            data={"username": user, "password": self.hub.password, "_xsrf": xsrf[1]},
            headers={"Sec-Fetch-Mode": "navigate"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        assert "logout" in answer.text

    def open(self, path: str, **options: Any) -> requests.Response:
        """Navigate to a path below the Hub's base URL; redirects are followed."""
        return self.request("GET", path, mode="navigate", **options)

    def fetch(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        """What a script of a page of the same origin does."""
        return self.request(method, path, mode="cors", **options)

    def request(
        self, method: str, path: str, *, mode: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """A request with the fields that browsers add."""
        sent = {
            "Sec-Fetch-Mode": mode,
            "Sec-Fetch-Site": "none" if mode == "navigate" else "same-origin",
            "Accept": "text/html,*/*;q=0.8" if mode == "navigate" else "*/*",
            **(headers or {}),
        }
        url = path if path.startswith("http") else f"{self.hub.url}{path}"
        return self.session.request(method, url, headers=sent, timeout=60, **options)

    def cookies(self, path: str) -> str:
        """The Cookie field that would be sent to a path below the base URL."""
        prepared = self.session.prepare_request(requests.Request("GET", f"{self.hub.url}{path}"))
        return str(prepared.headers.get("Cookie", ""))


def fields_of(answer: requests.Response) -> dict[str, str]:
    """The fields that the echo application has received, by their lower-case names."""
    return {name.lower(): value for name, value in answer.json()["headers"]}


def processes_below(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them lives."""
    return all(process_gone(one.pid) for one in processes)


__all__ = [
    "PATIENCE", "Browser", "Hub", "all_gone", "fields_of", "json", "processes_below", "time", "wait_until",
]  # fmt: skip
