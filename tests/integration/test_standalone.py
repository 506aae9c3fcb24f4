"""`jupyter standaloneproxy` without a Hub: what it serves, how it begins, how it ends. With a Hub: tests/hub."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import websockets
from harness import APPS, ECHO, PATIENCE, Answer, background, free_port, listens, process_gone, wait_until, words_of
from wire import Wire

COMMAND = [sys.executable, "-m", "jupyter_server_proxy.standalone"]

#: What JupyterHub gives to the servers that it starts.
HUB = {
    "JUPYTERHUB_API_TOKEN": "t0ken-of-this-server",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
    "JUPYTERHUB_BASE_URL": "/",
    "JUPYTERHUB_HOST": "",
    "JUPYTERHUB_USER": "ann",
    "JUPYTERHUB_SERVER_NAME": "",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ann/"]',
}


class Standalone:
    """The command, and a client.

    Args:
        directory: private to it.
        command: of the application.
        arguments: options.
        base_url: begins and ends with "/".
        environment: more variables.
        prefix: of the whole command line.
        authenticate: people have to log in, by a Hub that is not there.
        port: to listen on; 0 for a free one.
    """

    def __init__(
        self,
        directory: Path,
        command: list[str] = ECHO,
        *arguments: str,
        base_url: str = "/app/",
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        authenticate: bool = False,
        port: int = 0,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.base_url = base_url
        self._log_file = directory / "standalone.log"
        words = [*prefix, *COMMAND, f"--port={self.port}", f"--base-url={base_url}", *arguments]
        if not authenticate:
            words.append("--no-authentication")
        own = {"HOME": str(directory), "JUPYTER_CONFIG_DIR": str(directory), "JUPYTER_DATA_DIR": str(directory)}
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*words, "--", *command] if command else words, cwd=directory, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **own, **(environment or {})}, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """All its output."""
        return self._log_file.read_text(errors="replace")

    def request(self, method: str, path: str = "", *, body: bytes | None = None, **headers: str) -> Answer:
        """A request below the base URL; in the names of fields "_" stands for "-"."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            target = path if path.startswith("/") else self.base_url + path
            connection.request(method, target, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path: str = "", **headers: str) -> Answer:
        """``request("GET", ...)``"""
        return self.request("GET", path, **headers)

    def wait_listening(self) -> Standalone:
        """Until it accepts connections."""
        wait_until(self._is_up, "standaloneproxy to listen")
        return self

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log
        return listens(self.port)

    def family(self) -> list[psutil.Process]:
        """Its child processes, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait_ended(self, timeout: float = PATIENCE) -> int:
        """Until it has ended; the exit code."""
        return self.process.wait(timeout)

    def stop(self) -> None:
        """End it, whatever it takes."""
        left = self.family() if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


Start = Callable[..., Standalone]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Standalone] = []

    def begin(*arguments: Any, **options: Any) -> Standalone:
        one = Standalone(tmp_path / str(len(started)), *arguments, **options)
        started.append(one)
        return one

    yield begin
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    one = Standalone(tmp_path_factory.mktemp("echo"), ECHO, "--identity-headers=True", "--app-name=My app!")
    yield one.wait_listening()
    one.stop()


# ---- what it serves


def test_the_whole_base_url_is_the_applications(echo: Standalone) -> None:
    answer = echo.get("a/b%2Fc?x=1&y")
    assert (answer.status, answer.json()["target"]) == (200, "/a/b%2Fc?x=1&y")
    assert dict(answer.json()["headers"])["X-Forwarded-Prefix"] == "/app"
    assert echo.get("").json()["target"] == "/"
    assert echo.request("PROPFIND", "x").json()["method"] == "PROPFIND"
    assert echo.request("PUT", "x", body=b"12345").json()["length"] == 5


def test_the_base_url_without_its_slash_leads_there(echo: Standalone) -> None:
    answer = echo.get("/app?x=1")
    assert (answer.status, answer.get("Location")) == (302, "/app/?x=1")


@pytest.mark.parametrize("path", ["/", "/apple/", "/App/", "/other", "//app/", "/server-proxy/api/servers"])
def test_nothing_else_is_served(echo: Standalone, path: str) -> None:
    answer = echo.get(path)
    assert answer.status == 404
    assert "/app/" in answer.text


def test_absolute_urls(start: Start) -> None:
    app = start(ECHO, "--absolute-url").wait_listening()
    assert app.get("x/y").json()["target"] == "/app/x/y"
    assert "X-Forwarded-Prefix" not in dict(app.get("x").json()["headers"])


def test_probes_know_no_base_url(echo: Standalone) -> None:
    wait_until(lambda: echo.get("/readyz").status == 200, "the start")
    for path in ("/healthz", "/readyz"):
        assert echo.get(path).json() == {"status": "ok"}
        assert echo.get(path, Host="10.0.0.1:8888").status == 200  # a kubelet asks the address of the pod


def test_the_application_is_told_where_it_is(start: Start) -> None:
    app = start([*ECHO, "--at={prefix}"], "--preset=uvicorn").wait_listening()
    process = app.get("environ").json()
    assert process["argv"][-3:] == ["--at=/app", "--host=127.0.0.1", "--root-path=/app"]
    assert process["environ"]["JUPYTER_SERVER_PROXY_PREFIX"] == "/app"
    assert process["environ"]["JUPYTER_SERVER_PROXY_URL"] == f"http://127.0.0.1:{app.port}/app/"


def test_the_options_of_a_preset_are_defaults(start: Start) -> None:
    assert start(ECHO, "--preset=dash").wait_listening().get("x").json()["target"] == "/app/x"
    app = start(ECHO, "--preset=dash", "--StandaloneProxyServer.absolute_url=False").wait_listening()
    assert app.get("x").json()["target"] == "/x"


def test_it_can_be_served_at_the_root(start: Start) -> None:
    app = start(ECHO, base_url="/").wait_listening()
    assert app.get("/healthz").json()["target"] == "/healthz"  # the application's own
    assert app.get("/x").json()["target"] == "/x"
    assert app.get("/server-proxy/healthz").json() == {"status": "ok"}


async def _talk(url: str, message: str | bytes, **options: Any) -> str | bytes:
    async with websockets.connect(url, proxy=None, **options) as connection:
        await connection.send(message)
        return await asyncio.wait_for(connection.recv(), 20)


def test_websockets(echo: Standalone) -> None:
    url = f"ws://127.0.0.1:{echo.port}/app/ws"
    assert asyncio.run(_talk(url, "hello")) == "hello"
    assert asyncio.run(_talk(url, "hello", origin=f"http://127.0.0.1:{echo.port}")) == "hello"
    with pytest.raises(websockets.InvalidStatus) as caught:
        asyncio.run(_talk(url, "hello", origin="http://evil.example"))
    assert caught.value.response.status_code == 403


def test_raw_sockets(start: Start) -> None:
    command = [sys.executable, str(APPS / "tcp_echo.py"), "--port={port}", "--unix-socket={unix_socket}"]
    for arguments in (["--raw-socket-proxy"], ["--raw-socket-proxy", "--unix-socket=True"]):
        app = start(command, *arguments).wait_listening()
        assert asyncio.run(_talk(f"ws://127.0.0.1:{app.port}/app/", b"\0bytes")) == b"\0bytes"
        assert app.get("").status == 405


def test_unix_sockets(start: Start) -> None:
    app = start(ECHO, "--unix-socket=True").wait_listening()
    assert app.get("environ").json()["argv"][0] == "--port=0"
    assert app.get("x").json()["target"] == "/x"


def test_an_application_that_runs_already(start: Start) -> None:
    port = free_port()
    with background([sys.executable, str(APPS / "echo.py"), f"--port={port}"], lambda: listens(port)) as app:
        proxy = start([], f"--server-port={port}").wait_listening()
        assert proxy.get("x").json()["pid"] == app.pid
        proxy.process.terminate()
        assert proxy.wait_ended() == 0
        assert app.poll() is None


def test_the_configuration_file_and_the_names_of_4_6(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "c.StandaloneProxyServer.environment = {'FROM_FILE': 'yes {base_url}'}\n"
        "c.ServerProcess.mappath = {'/': '/first'}\n"
        "c.StandaloneProxyServer.request_headers_override = {'X-Own': '1'}\n"
        "c.ServerProxy.response_timeout = 1.0\n"
    )
    app = start(
        ECHO, f"--config={config}", "--timeout=20", "--websocket-max-message-size=1000", "--activity-interval=0"
    )
    app.wait_listening()
    answer = app.get("").json()
    assert answer["target"] == "/first"
    assert dict(answer["headers"])["X-Own"] == "1"
    assert app.get("environ").json()["environ"]["FROM_FILE"] == "yes /app/"
    assert app.get("slow/5").status == 504
    assert "websocket_max_message_size has no effect" in app.log


# ---- who may reach it


@pytest.mark.parametrize("path", ["x", "server-proxy/api/servers", "server-proxy/metrics", "server-proxy/icon/x"])
def test_names_that_point_here_are_refused(echo: Standalone, path: str) -> None:
    assert echo.get(path, Host=f"evil.example:{echo.port}").status == 403
    assert echo.get(path, Host=f"localhost:{echo.port}").status in (200, 404)


def test_the_host_of_every_request_of_a_connection_is_looked_at(echo: Standalone) -> None:
    """A page whose name has come to mean this machine keeps its connection (DNS rebinding)."""
    client = Wire(socket.create_connection(("127.0.0.1", echo.port)))
    right, evil = f"127.0.0.1:{echo.port}", f"evil.example:{echo.port}"
    for together in (False, True):
        hosts = [right] * 4 + [evil, right, evil, evil, right, right, evil]
        for at_once in [hosts] if together else [[host] for host in hosts]:
            client.send(*(line for host in at_once for line in ("GET /app/x HTTP/1.1", f"Host: {host}", "")), "")
            assert [client.response().status for _ in at_once] == [200 if host == right else 403 for host in at_once]
    client.close()


def test_what_clients_say_about_their_identity_is_dropped(echo: Standalone) -> None:
    answer = echo.get("x", X_Jupyter_User="root", X_Jupyter_Groups="wheel")
    assert "root" not in answer.text
    assert "wheel" not in answer.text


def test_actions_need_the_token_against_cross_site_requests(echo: Standalone) -> None:
    path = "server-proxy/api/servers/My-app"
    assert echo.request("POST", f"{path}/restart").status == 403
    cookie = next(value for value in echo.get(path).get_all("Set-Cookie") if value.startswith("_xsrf="))
    xsrf = cookie.partition(";")[0].partition("=")[2]
    answer = echo.request("POST", f"{path}/restart?wait=1", Cookie=f"_xsrf={xsrf}", X_XSRFToken=xsrf)
    assert (answer.status, answer.json()["state"]) == (200, "ready")
    crossed = echo.request(
        "POST", f"{path}/restart", Cookie=f"_xsrf={xsrf}", X_XSRFToken=xsrf, Origin="http://evil.example"
    )
    assert crossed.status == 403
    assert "_xsrf" not in echo.get("x", Cookie=f"_xsrf={xsrf}; own=1").text


def test_forwarded_fields_are_believed_where_that_is_configured(start: Start, echo: Standalone) -> None:
    said = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}
    assert "203.0.113.9" not in echo.get("x", **said).text
    app = start(ECHO, "--StandaloneProxyServer.trust_xheaders=True").wait_listening()
    fields = dict(app.get("x", **said).json()["headers"])
    assert (fields["X-Forwarded-For"], fields["X-Forwarded-Proto"]) == ("203.0.113.9", "https")


def test_without_its_hub_nobody_gets_in_and_the_answer_is_clear(start: Start) -> None:
    app = start(ECHO, environment=HUB, authenticate=True).wait_listening()
    assert app.get("x", Authorization="token x").status == 500
    answer = app.get("x", Authorization="token x")
    assert "Failed to connect to Hub API" in answer.text
    assert wait_until(lambda: (a := app.get("x")).status != 503 and a, "the start").status == 403
    secret = HUB["JUPYTERHUB_API_TOKEN"]
    assert secret not in app.log
    [child] = [one for one in app.family() if any("echo.py" in word for word in words_of(one))]
    assert secret not in child.environ().values()


# ---- how it begins


def test_the_application_starts_at_once_or_by_the_first_request(start: Start) -> None:
    eager, lazy = start(), start(ECHO, "--no-autostart")
    eager.wait_listening()
    lazy.wait_listening()
    wait_until(lambda: "is ready at" in eager.log, "the start")
    assert lazy.get("server-proxy/readyz").status == 200
    assert "Starting server" not in lazy.log
    assert lazy.get("x").status == 200
    assert "Starting server" in lazy.log


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([sys.executable, "-c", "print('no licence'); raise SystemExit(3)"], ["exited with status 3", "no licence"]),
        (["/nonexistent/program"], ["/nonexistent/program"]),
        ([sys.executable, "-c", "import time; print('busy', flush=True); time.sleep(60)"], ["did not", "busy"]),
    ],
    ids=["exits", "missing", "never-answers"],
)
def test_a_failed_start_ends_it_with_the_reason(start: Start, command: list[str], told: list[str]) -> None:
    app = start(command, "--timeout=2")
    assert app.wait_ended() == 1
    assert "The application could not be started" in app.log
    for text in told:
        assert text in app.log, app.log


def test_a_crash_after_the_start_does_not_end_it(start: Start) -> None:
    app = start().wait_listening()
    assert app.get("exit/3").status == 200
    assert wait_until(lambda: (a := app.get("x")).status == 200 and a, "the restart")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--port=70000"], 1, "port"),
        (["--base-url=/a b/"], 1, "base_url must be a path"),
        (["--timeout=soon"], 1, "timeout"),
        (["--StandaloneProxyServer.no_authentication=False"], 2, "--no-authentication"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], code: int, told: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments, "--", "true"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = start(ECHO, port=port)
        assert app.wait_ended() == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in app.log


# ---- how it ends


def test_p_sigterm_lets_requests_finish_and_ends_everything(start: Start) -> None:
    app = start(ECHO, "--finish-timeout=20").wait_listening()
    app.get("x")
    family = app.family()
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(app.get("slow/2")))
    thread.start()
    wait_until(lambda: _open_requests(app) == 1, "the request")
    app.process.terminate()
    wait_until(lambda: not listens(app.port), "no more connections are accepted")
    thread.join(30)
    assert answers[0].status == 200
    assert app.wait_ended() == 0
    assert all(process_gone(one.pid) for one in family)


def _open_requests(app: Standalone) -> int:
    return int(app.get("server-proxy/api/servers").json()["servers"][0]["requests_open"])


def test_p_requests_that_take_too_long_do_not_hold_the_end_up(start: Start) -> None:
    app = start(ECHO, "--finish-timeout=0.5").wait_listening()
    app.get("x")
    with contextlib.suppress(OSError, http.client.HTTPException):
        thread = threading.Thread(target=_ignoring_the_end, args=(app, "slow/60"))
        thread.start()
        wait_until(lambda: _open_requests(app) == 1, "the request")
        begun = time.monotonic()
        app.process.terminate()
        assert app.wait_ended() == 0
        assert time.monotonic() - begun < 30
        thread.join(30)


def _ignoring_the_end(app: Standalone, path: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        app.get(path)


#: Takes a moment to end in order; tells when it was asked to, and when it has done it.
SLOW_END = r"""
import http.server, signal, sys, threading, time
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
def end(*_):
    print("asked to end", flush=True)
    time.sleep(1.5)
    print("ended in order", flush=True)
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, end)
server.serve_forever()
"""


def test_p_the_application_gets_its_time_to_end_also_when_told_twice(start: Start) -> None:
    app = start([sys.executable, "-c", SLOW_END, "{port}"]).wait_listening()
    wait_until(lambda: "is ready at" in app.log, "the start")
    app.process.terminate()
    wait_until(lambda: "asked to end" in app.log, "SIGTERM is forwarded")
    app.process.terminate()  # batchspawner's jobs get it twice
    assert app.wait_ended() == 0
    assert "ended in order" in app.log
    assert app.log.count("asked to end") == 1


def test_p_sigterm_before_the_first_request_and_before_the_start_is_over(start: Start) -> None:
    slow = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"]
    app = start(slow)
    wait_until(lambda: "begun" in app.log, "the application has begun")
    family = app.family()
    app.process.send_signal(signal.SIGTERM)
    assert app.wait_ended() == 0
    assert all(process_gone(one.pid) for one in family)


def test_p_kill_9_leaves_nothing(start: Start) -> None:
    app = start().wait_listening()
    app.get("x")
    family = app.family()
    assert len(family) >= 2
    app.process.kill()
    wait_until(lambda: all(process_gone(one.pid) for one in family), "nothing is left", 20)


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True, check=False).returncode == 0


#: Leaves a process behind that ends soon, and whose parent has gone: process 1 has to reap it.
ORPHAN = r"""
import subprocess, sys, os
subprocess.Popen(["setsid", "sh", "-c", "sleep 0.3 & exec true"])
subprocess.Popen(["sh", "-c", "(sleep 0.5 &) ; exit 0"]).wait()
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(not _can_unshare(), reason="needs the right to make a process namespace")
def test_p_as_process_1_of_a_container(start: Start) -> None:
    app = start(
        [sys.executable, "-c", ORPHAN, *ECHO], prefix=("unshare", "-pf", "--kill-child", "--mount-proc")
    ).wait_listening()
    assert app.get("x").status == 200
    [one] = psutil.Process(app.process.pid).children()
    assert one.cmdline()[1:3] == COMMAND[1:3]

    def zombies() -> list[psutil.Process]:
        return [child for child in one.children() if process_gone(child.pid)]

    time.sleep(1)  # the orphans have ended
    wait_until(lambda: not zombies(), "all are reaped", 10)
    family = one.children(recursive=True)
    one.terminate()
    assert app.wait_ended() == 0
    assert "Ending: SIGTERM" in app.log
    assert all(process_gone(child.pid) for child in family)


def test_jupyter_server_is_not_loaded() -> None:
    code = (
        "import sys, json, jupyter_server_proxy.standalone.app, jupyter_server_proxy.standalone.hub;"
        "print(json.dumps([name for name in sys.modules if name.split('.')[0] in ('jupyter_server', 'nbformat')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == []
