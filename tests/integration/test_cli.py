"""``jupyter server-proxy list | start | stop | restart | logs | open`` with real Jupyter servers."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import ECHO, PATIENCE, Jupyter, background, wait_until

CONFIG = r"""
TALKER = '''
import http.server, os, sys, threading, time
def talk():
    for number in range(10000):
        print("\\x1b[32mline\\x1b[0m \\x1b]0;title\\x07of", os.getpid(), number, flush=True)
        time.sleep(0.05)
threading.Thread(target=talk, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
'''
c.ServerProxy.servers = {
    "echo": {"command": ECHO},
    "team/echo": {"command": ECHO, "unix_socket": True, "launcher_entry": {"path_info": "team/echo/page?x=1"}},
    "fails": {"command": [sys.executable, "-c", r"print('\x1b[31msorry\x1b[0m'); raise SystemExit(3)"]},
    "foreign": {"port": 1},
    "talker": {"command": [sys.executable, "-c", TALKER, "{port}"], "timeout": 30},
}
"""

Command = list[str]


def environment_of(directory: Path, **more: str) -> dict[str, str]:
    """Of somebody whose Jupyter has this directory."""
    own = {**os.environ, "JUPYTER_RUNTIME_DIR": str(directory / "runtime"), "HOME": str(directory)}
    for name in ("JUPYTER_TOKEN", "NO_COLOR", "JUPYTER_SERVER_URL"):
        own.pop(name, None)
    return {**own, **more}


def command(*arguments: str) -> Command:
    return [sys.executable, "-m", "jupyter_server_proxy.cli", *arguments]


class Shell:
    """Runs commands of one who has a Jupyter server.

    Args:
        jupyter: that server.
    """

    def __init__(self, jupyter: Jupyter) -> None:
        self.jupyter = jupyter

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments),
            env=environment_of(self.jupyter.directory, **environment),
            cwd=cwd or self.jupyter.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        return json.loads(done.stdout)

    def state(self, name: str) -> str:
        return str(self.jupyter.get(f"server-proxy/api/servers/{name}").json()["state"])


class Following:
    """A ``logs -f`` that runs, and what it has written."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self.process = subprocess.Popen(
            command("logs", "-f", *arguments),
            env=environment_of(shell.jupyter.directory),
            cwd=shell.jupyter.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        pipes = (self.process.stdout, self.out), (self.process.stderr, self.err)
        self._threads = [threading.Thread(target=self._read, args=pipe, daemon=True) for pipe in pipes]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        with stream, contextlib.suppress(OSError, ValueError):
            for line in stream:
                lines.append(line.rstrip("\n"))

    def wait_lines(self, count: int) -> None:
        before = len(self.out)
        wait_until(lambda: len(self.out) >= before + count, f"{count} more lines after {self.out[-3:]} {self.err}")

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)


@pytest.fixture(scope="module")
def shell(start_jupyter: Callable[..., Jupyter]) -> Shell:
    return Shell(start_jupyter(CONFIG, base_url="/base/"))


# ---- list, start, stop, restart


def test_a_server_is_started_listed_restarted_and_stopped(shell: Shell) -> None:
    port = shell.jupyter.port
    done = shell.run("start", "echo")
    assert (done.returncode, done.stdout) == (0, f"echo is ready: http://127.0.0.1:{port}/base/echo/\n")
    pid = shell.jupyter.get("echo/environ").json()["pid"]

    lines = shell.run("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "SINCE", "PID", "MEMORY", "REQUESTS", "URL"]
    cells = next(line for line in lines if line.startswith("echo ")).split()
    assert cells[:2] == ["echo", "ready"]
    assert str(pid) in cells
    assert "MB" in cells
    assert cells[-2:] == ["1", f"http://127.0.0.1:{port}/base/echo/"]

    assert shell.run("restart", "echo").returncode == 0
    assert shell.jupyter.get("echo/environ").json()["pid"] != pid

    done = shell.run("stop", "echo")
    assert (done.returncode, done.stdout) == (0, "echo is stopped\n")
    assert shell.state("echo") == "stopped"


def test_json_is_what_the_rest_api_tells(shell: Shell) -> None:
    listed = shell.json("list")["servers"]
    asked = shell.jupyter.get("server-proxy/api/servers").json()["servers"]
    assert [server["name"] for server in listed] == [server["name"] for server in asked]
    assert set(listed[0]) == set(asked[0])
    started = shell.json("start", "team/echo")
    assert (started["name"], started["state"]) == ("team/echo", "ready")
    assert [server["state"] for server in shell.json("stop", "team/echo")["servers"]] == ["stopped"]
    assert [line["text"] for line in shell.json("logs", "team/echo", "-n", "1")["lines"]]


def test_a_start_need_not_be_waited_for(shell: Shell) -> None:
    done = shell.run("start", "talker", "--no-wait")
    assert done.returncode == 0
    assert done.stdout.startswith("talker is starting: http")
    wait_until(lambda: shell.state("talker") == "ready", "talker to be ready")


def test_a_start_that_fails(shell: Shell) -> None:
    done = shell.run("start", "fails")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Server 'fails' exited with status 3 while it was starting.\nIts last output:\nsorry\n"
    error = shell.json("start", "fails")["error"]
    assert (error["code"], error["exit_code"], error["output"]) == (1, 3, ["\x1b[31msorry\x1b[0m"])
    assert "\nfails: Server 'fails' exited with status 3" in shell.run("list").stdout


def test_all_that_run_are_stopped(shell: Shell) -> None:
    shell.run("start", "echo")
    shell.run("start", "team/echo")
    done = shell.run("stop", "--all")
    assert done.returncode == 0
    assert {"echo is stopped", "team/echo is stopped"} <= set(done.stdout.splitlines())
    assert {server["state"] for server in shell.json("list")["servers"]} <= {"stopped", "failed"}
    assert shell.run("stop", "--all").returncode == 0


def test_names_that_are_unknown(shell: Shell) -> None:
    shell.run("start", "echo")
    for arguments in (
        ("start", "ecko"),
        ("stop", "echo", "ecko"),
        ("restart", "ecko"),
        ("logs", "ecko"),
        ("open", "ecko"),
    ):
        done = shell.run(*arguments)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr == "There is no server 'ecko'. Did you mean 'echo'?\n"
    assert shell.state("echo") == "ready", "the others were left alone"
    assert shell.json("logs", "echo/../x")["error"]["code"] == 4


def test_a_server_of_somebody_else_is_not_stopped(shell: Shell) -> None:
    shell.run("start", "echo")
    done = shell.run("stop", "foreign", "echo")
    assert done.returncode == 1
    assert done.stdout == "echo is stopped\n"
    assert "'foreign'" in done.stderr


def test_ctrl_c_while_a_start_is_waited_for(start_jupyter: Callable[..., Jupyter]) -> None:
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    shell = Shell(start_jupyter(f"c.ServerProxy.servers = {{'slow': {{'command': {slow!r}, 'timeout': 60}}}}\n"))
    process = subprocess.Popen(
        command("start", "slow"),
        env=environment_of(shell.jupyter.directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: shell.state("slow") == "starting", "the start to begin")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == (b"", b"")
    assert process.returncode == 130
    assert shell.state("slow") == "starting"


# ---- logs


def logs_of(shell: Shell, name: str) -> list[Any]:
    return list(shell.jupyter.get(f"server-proxy/api/servers/{name}/logs").json()["lines"])


def test_logs(shell: Shell) -> None:
    shell.run("start", "talker")
    wait_until(lambda: len(logs_of(shell, "talker")) > 5, "lines")
    lines = shell.run("logs", "talker", "-n", "4").stdout.splitlines()
    assert len(lines) == 4
    assert not any("\x1b" in line or "title" in line for line in lines)
    assert shell.run("logs", "talker", "-n", "0").stdout == ""
    for wrong in ("-1", "1001", "x"):
        assert shell.run("logs", "talker", "-n", wrong).returncode == 2


def test_logs_go_on_after_a_restart_until_ctrl_c(shell: Shell) -> None:
    shell.run("start", "talker")
    first = shell.json("list")["servers"][4]["pid"]
    with Following(shell, "talker", "-n", "2") as following:
        following.wait_lines(5)
        second = shell.json("restart", "talker")["pid"]
        following.wait_lines(5)
        following.process.send_signal(signal.SIGINT)
        assert following.process.wait(PATIENCE) == 130
        pids = {int(line.split()[2]) for line in following.out if line.startswith("line of")}
        assert pids == {first, second}
        wait_until(lambda: "(talker is ready)" in following.err, "the states")
        assert [line for line in following.err if "talker is" not in line] == []


def test_each_line_of_followed_logs_is_json(shell: Shell) -> None:
    shell.run("start", "talker")
    with Following(shell, "talker", "--json", "-n", "3") as following:
        following.wait_lines(6)
        events = [json.loads(line) for line in following.out]
    assert [event["event"] for event in events[:4]] == ["line", "line", "line", "state"]
    assert events[0]["text"].startswith("\x1b[32mline\x1b[0m ")
    assert events[3]["state"] == "ready"


def test_whoever_reads_logs_may_leave(shell: Shell) -> None:
    shell.run("start", "talker")
    process = subprocess.Popen(
        command("logs", "-f", "talker"),
        env=environment_of(shell.jupyter.directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_on_a_terminal(shell: Shell, variables: dict[str, str], coloured: bool) -> None:
    shell.run("start", "talker")
    wait_until(lambda: logs_of(shell, "talker"), "lines")
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        command("logs", "talker", "-n", "1"), env=environment_of(shell.jupyter.directory, **variables), stdout=follower
    )
    os.close(follower)
    written = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(leader, 4096):
            written += piece
    os.close(leader)
    assert done.wait(PATIENCE) == 0
    assert (b"\x1b[32mline\x1b[0m of" in written) is coloured
    assert (b"\x1b" in written) is coloured
    assert b"title" not in written


def test_logs_go_on_when_jupyter_is_started_again(start_jupyter: Callable[..., Jupyter]) -> None:
    first = start_jupyter(CONFIG)
    shell = Shell(first)
    shell.run("start", "talker")
    with Following(shell, "talker") as following:
        following.wait_lines(5)
        first.stop()
        wait_until(lambda: any("Waiting" in line for line in following.err), "the end to be noticed")
        again = start_jupyter(CONFIG, environment={"JUPYTER_RUNTIME_DIR": str(first.directory / "runtime")})
        assert again.request("POST", "server-proxy/api/servers/talker/start?wait=1", body=b"").status == 200
        following.wait_lines(5)
        lines = [line for line in following.out if line.startswith("line of")]
        assert len(lines) == len(set(lines))
        assert len({line.split()[2] for line in lines}) == 2


# ---- open


@pytest.fixture
def browser(tmp_path: Path) -> tuple[str, Path]:
    """A browser that notes what it opens."""
    program, opened = tmp_path / "browser", tmp_path / "opened"
    program.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    program.chmod(0o755)
    return str(program), opened


def test_open(shell: Shell, browser: tuple[str, Path]) -> None:
    program, opened = browser
    url = f"http://127.0.0.1:{shell.jupyter.port}/base/team/echo/page?x=1"
    done = shell.run("open", "team/echo", BROWSER=program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Opened {url}\n")
    wait_until(lambda: opened.exists() and opened.read_text(), "the browser")
    assert opened.read_text() == url + "\n"


def test_open_where_there_is_no_browser(shell: Shell) -> None:
    nothing = {"BROWSER": "/no/such/browser", "PATH": "/no/such/directory", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = shell.run("open", "echo", **nothing)
    assert (done.returncode, done.stdout) == (0, f"http://127.0.0.1:{shell.jupyter.port}/base/echo/\n")
    assert "no browser" in done.stderr


def test_the_token_is_told_on_request_only(shell: Shell, browser: tuple[str, Path]) -> None:
    token = shell.jupyter.token
    for arguments in (
        ("open", "echo", "--print"),
        ("list",),
        ("list", "--json"),
        ("open", "echo", "--json"),
        ("doctor",),
    ):
        done = shell.run(*arguments, BROWSER=browser[0])
        assert token not in done.stdout + done.stderr
    done = shell.run("open", "team/echo", "--print", "--show-token")
    assert done.stdout.endswith(f"/base/team/echo/page?x=1&token={token}\n")
    assert shell.jupyter.get(done.stdout.strip().partition("/base/")[2], login=False).status == 200


# ---- which Jupyter


def test_no_jupyter_runs(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("list", JUPYTER_RUNTIME_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no running Jupyter server" in done.stderr
    assert shell.run("list", "--port", "1").returncode == 3
    assert shell.run("list", "--url", "http://127.0.0.1:1/").returncode == 3
    assert shell.run("list", "--url", "nonsense").returncode == 2


def test_by_url_and_token(shell: Shell, tmp_path: Path) -> None:
    jupyter = shell.jupyter
    url = f"http://localhost:{jupyter.port}/base/"
    nowhere = str(tmp_path)
    for variables, arguments in (
        ({"JUPYTER_TOKEN": jupyter.token, "JUPYTER_RUNTIME_DIR": nowhere}, ("--url", url)),
        ({"JUPYTER_RUNTIME_DIR": nowhere}, ("--url", f"{url}lab/tree/x.ipynb?token={jupyter.token}")),
        ({"JUPYTER_RUNTIME_DIR": nowhere}, ("--url", url.rstrip("/"), "--token", jupyter.token)),
        ({}, ("--url", url)),
        ({}, ("--port", str(jupyter.port))),
    ):
        done = shell.run("list", *arguments, **variables)
        assert done.returncode == 0, done.stderr
    assert "does not accept the token" in shell.run("list", "--url", url, "--token", "wrong").stderr
    done = shell.run("list", "--url", url, JUPYTER_RUNTIME_DIR=nowhere)
    assert (done.returncode, done.stdout) == (3, "")
    assert "asks for a login" in done.stderr


def test_what_is_not_a_jupyter_with_the_extension(shell: Shell, echo_port: int) -> None:
    for url in (f"http://127.0.0.1:{shell.jupyter.port}/", f"http://127.0.0.1:{echo_port}/"):
        done = shell.run("list", "--url", url, "--token", shell.jupyter.token)
        assert (done.returncode, done.stdout) == (3, "")
        assert "doctor" in done.stderr


def test_several_run(shell: Shell, start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> None:
    """Of several, the one whose files are around us is taken."""
    other = start_jupyter(CONFIG, environment={"JUPYTER_RUNTIME_DIR": str(shell.jupyter.directory / "runtime")})
    below = other.directory / "project"
    below.mkdir()
    assert f":{other.port}/" in shell.run("open", "echo", "--print", cwd=below).stdout
    assert f":{shell.jupyter.port}/" in shell.run("open", "echo", "--print").stdout
    done = shell.run("list", cwd=tmp_path)
    assert done.returncode == 3
    assert f"http://127.0.0.1:{other.port}/" in done.stderr
    assert f"http://127.0.0.1:{shell.jupyter.port}/base/" in done.stderr
    assert other.token not in done.stderr
    own = f"http://127.0.0.1:{other.port}/"
    assert own in shell.run("open", "echo", "--print", cwd=tmp_path, JUPYTER_SERVER_URL=own).stdout
    other.stop()


def test_tls(start_jupyter: Callable[..., Jupyter], certificate: tuple[str, str]) -> None:
    shell = Shell(start_jupyter(CONFIG, certificate=certificate))
    done = shell.run("start", "echo")
    assert done.stdout == f"echo is ready: https://127.0.0.1:{shell.jupyter.port}/echo/\n"


def test_without_a_login(start_jupyter: Callable[..., Jupyter]) -> None:
    """Jupyter then wants its XSRF cookie back."""
    shell = Shell(start_jupyter("c.IdentityProvider.token = ''\nc.ServerApp.password = ''\n" + CONFIG))
    assert shell.run("start", "echo").returncode == 0
    assert shell.run("stop", "echo").stdout == "echo is stopped\n"


def test_a_jupyter_on_a_unix_socket(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="jsp-") as short:
        directory, path = Path(short), Path(short) / "jupyter.sock"
        (directory / "jupyter_server_config.py").write_text(f"import sys\nECHO = {ECHO!r}\nc = get_config()\n" + CONFIG)
        starting = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--ServerApp.sock={path}"]
        environment = environment_of(directory, JUPYTER_CONFIG_DIR=short, JUPYTER_TOKEN="t0ken")

        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command(*arguments),
                env=environment_of(directory, **more),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )

        with background(starting, lambda: run("list").returncode == 0, env=environment, cwd=short):
            done = run("start", "echo")
            assert (done.returncode, done.stdout) == (0, "echo is ready: /echo/\n")
            assert run("open", "echo").returncode == 1
            url = "http+unix://" + str(path).replace("/", "%2F")
            assert run("list", "--url", url, JUPYTER_TOKEN="t0ken", JUPYTER_RUNTIME_DIR=str(tmp_path)).returncode == 0
            assert run("list", "--url", url, JUPYTER_TOKEN="wrong", JUPYTER_RUNTIME_DIR=str(tmp_path)).returncode == 3
            assert run("stop", "--all").returncode == 0
