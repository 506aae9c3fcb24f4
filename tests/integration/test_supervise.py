"""Servers that start, fail, die, and are in each other's way: a real Jupyter and real children."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
from harness import ECHO, Jupyter, background, free_port, lines_of, listens, process_gone, wait_until

P = pytest.mark.behaviour
CHILD = str(Path(__file__).parent / "children" / "child.py")
PORT = "--port={port}"


def child(*arguments: str) -> str:
    """The command of a child, as text for the configuration."""
    return repr([sys.executable, CHILD, *arguments])


def pids(file: Path) -> list[int]:
    """What children have noted."""
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("notes")
    return directory


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("taken", "squatted", "daemon", "echo", "pinned")}


@pytest.fixture(scope="module")
def paths() -> dict[str, str]:
    """Paths for unix sockets, short and each with something at it already."""
    short = Path("/tmp") / f"jsp-{os.getpid()}"
    short.mkdir()
    made = {name: str(short / name) for name in ("stale", "reserved", "full", "directory", "fresh")}
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(made["stale"])
    Path(made["reserved"]).touch()
    Path(made["full"]).write_text("precious")
    Path(made["directory"]).mkdir()
    made["nowhere"] = str(short / "no" / "s")
    return made


@pytest.fixture(scope="module")
def jupyter(
    start_jupyter: Callable[..., Jupyter], notes: Path, ports: dict[str, int], paths: dict[str, str]
) -> Jupyter:
    return start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "crowd": {{"command": {child(PORT, f"--started={notes / 'crowd'}", "--delay=0.5")}, "timeout": 60}},
    "echo": {{"command": ECHO, "timeout": 60}},
    "other": {{"command": ECHO, "timeout": 60}},
    "loop": {{"command": {child(PORT, f"--started={notes / 'loop'}", "--exit-after=2")}, "timeout": 60}},
    "taken": {{"command": {child(PORT)}, "port": {ports["taken"]}, "timeout": 3}},
    "squatted": {{"command": {child(PORT)}, "port": {ports["squatted"]}, "timeout": 3}},
    "daemon": {{"command": {child(PORT, f"--started={notes / 'daemon'}", "--daemon")}, "port": {ports["daemon"]},
               "timeout": 60}},
    "pinned": {{"command": {child(PORT)}, "port": {ports["pinned"]}, "timeout": 60}},
    "leave": {{"command": {child(PORT, f"--started={notes / 'leave'}", "--delay=1")}, "timeout": 60}},
    "missing": {{"command": ["/nonexistent/program", "x"]}},
    "plain-file": {{"command": [{CHILD!r}]}},
    "no-interpreter": {{"command": [{str(notes / "script")!r}]}},
    "exits": {{"command": {child(PORT, "--say=<b>last words</b>", "--exit=4")}, "timeout": 60}},
    "raises": {{"command": lambda: 1 / 0}},
    "hole": {{"command": lambda: ["run", None]}},
    "gone": {{"command": lambda: None, "port": {ports["echo"]}}},
    "slow": {{"command": {child(PORT, "--delay=60")}, "timeout": 0.7}},
    "elsewhere": {{"command": {child(PORT, "--elsewhere")}, "timeout": 3}},
    "talks": {{"command": {child(PORT, "--say=hello from the app")}, "timeout": 60}},
    "private": {{"command": {child("--unix-socket={unix_socket}")}, "unix_socket": True, "timeout": 60}},
    **{{name: {{"command": {child("--unix-socket={unix_socket}")}, "unix_socket": path, "timeout": 5}}
       for name, path in {paths!r}.items() if name not in ("stale", "reserved")}},
    "stale": {{"command": {child("--unix-socket={unix_socket}")}, "unix_socket": {paths["stale"]!r}, "timeout": 60}},
    "reserved": {{"command": ["sh", "-c", "rm -f $1; shift; exec $*", "sh", {paths["reserved"]!r},
        {sys.executable!r}, {CHILD!r}, "--unix-socket={{unix_socket}}"],
        "unix_socket": {paths["reserved"]!r}, "timeout": 60}},
}}
"""
    )


# ---- starting


@P("P8")
def test_p8_a_hundred_first_requests_start_one_child(jupyter: Jupyter, notes: Path) -> None:
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: jupyter.get("crowd/"), range(100)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(pids(notes / "crowd")) == 1


@P("P8")
def test_p8_a_client_that_leaves_does_not_end_a_start_that_others_wait_for(jupyter: Jupyter, notes: Path) -> None:
    leaver = jupyter.connect()
    leaver.putrequest("GET", jupyter.path("leave/"))
    leaver.putheader("Authorization", f"token {jupyter.token}")
    leaver.endheaders()
    answers: list[str] = []
    stayer = threading.Thread(target=lambda: answers.append(jupyter.get("leave/").text))
    stayer.start()
    (pid,) = wait_until(lambda: pids(notes / "leave"), "the child to start")
    leaver.close()
    stayer.join()
    assert answers == [str(pid)]


def test_two_servers_listen_on_two_ports(jupyter: Jupyter) -> None:
    commands = [psutil.Process(jupyter.get(f"{name}/").json()["pid"]).cmdline() for name in ("echo", "other")]
    chosen = [next(word for word in command if word.startswith("--port=")) for command in commands]
    assert chosen[0] != chosen[1]


def test_the_output_of_a_child_is_in_jupyters_log(jupyter: Jupyter) -> None:
    assert jupyter.get("talks/").status == 200
    assert len(lines_of(jupyter.log(), r"\[talks\] hello from the app")) == 2


# ---- failing to start


@P("P9")
@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("missing", 503, "Server 'missing' could not be started: there is no program '/nonexistent/program'"),
        ("plain-file", 503, "is not executable"),
        ("no-interpreter", 503, "the interpreter in its first line does not exist"),
        ("exits", 503, "Server 'exits' exited with status 4 while it was starting."),
        ("raises", 503, "The command of server 'raises' cannot be used: ZeroDivisionError"),
        ("hole", 503, "Word 2 of the command of server 'hole' is None"),
        ("slow", 503, "within 0.7 s. If it needs more time, raise its timeout."),
        ("full", 503, "something else is there"),
        ("directory", 503, "something else is there"),
        ("nowhere", 503, "there is no such directory"),
    ],
)
def test_p9_what_keeps_a_server_from_starting_is_told(
    jupyter: Jupyter, notes: Path, name: str, status: int, message: str
) -> None:
    script = notes / "script"
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    answer = jupyter.get(f"{name}/", headers={"Accept": "text/plain"})
    assert answer.status == status
    assert message in answer.text
    assert message in jupyter.log()
    assert int(answer.get("Retry-After") or 0) >= 1
    again = jupyter.get(f"{name}/")
    assert (again.status, message in again.text) == (status, True)


@P("P9", "S9")
def test_p9_the_last_output_is_shown_and_escaped(jupyter: Jupyter) -> None:
    page = jupyter.get("exits/", headers={"Accept": "text/html"})
    assert "&lt;b&gt;last words&lt;/b&gt;" in page.text
    assert "giving up with 4" in page.text
    assert "<b>last" not in page.text
    assert page.get("Content-Type") == "text/html; charset=utf-8"


@P("P10")
def test_p10_a_child_on_another_port_is_told_which(jupyter: Jupyter) -> None:
    answer = jupyter.get("elsewhere/")
    assert answer.status == 503
    assert re.search(
        r"did not answer on port \d+ within 3 s\. It listens on port \d+ instead: use {port} in its", answer.text
    )


def test_a_command_that_is_none_means_that_somebody_else_runs_it(jupyter: Jupyter, ports: dict[str, int]) -> None:
    assert jupyter.get("gone/").status == 502
    with serving(ports["echo"]):
        assert jupyter.get("gone/").status == 200
    assert jupyter.get("gone/").status == 502


@P("P5")
def test_p5_a_port_that_is_taken(jupyter: Jupyter, ports: dict[str, int]) -> None:
    """By this user: the child cannot listen there, and nothing is sent to the one who does."""
    with socket.create_server(("127.0.0.1", ports["taken"])) as squatter:
        answer = jupyter.get("taken/")
        assert answer.status == 503
        assert "while it was starting" in answer.text or "taken already by process" in answer.text
        squatter.settimeout(0.1)
        with pytest.raises(TimeoutError):
            squatter.accept()


@P("P5")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pretend to be somebody else")
def test_p5_a_port_that_another_user_has_taken(jupyter: Jupyter, ports: dict[str, int]) -> None:
    port = ports["squatted"]
    with listening_as_somebody_else(port) as was_touched:
        answer = jupyter.get("squatted/")
        assert answer.status == 503
        assert f"cannot listen on port {port}: another user's process does already" in answer.text
        time.sleep(0.2)
        assert not was_touched()


@P("P6")
def test_p6_one_address_is_used_and_no_other(jupyter: Jupyter, ports: dict[str, int]) -> None:
    """Somebody listens on the other loopback address; the child is on 127.0.0.1."""
    try:
        other = socket.create_server(("::1", ports["pinned"]), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with other:
        pid = {jupyter.get("pinned/").text for _ in range(5)}
        assert len(pid) == 1
        os.kill(int(pid.pop()), signal.SIGKILL)
        answers = [jupyter.get("pinned/") for _ in range(3)]
        assert [answer.status for answer in answers] == [200] * 3
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()


# ---- dying


@P("P4")
@pytest.mark.parametrize("how", ["kill", "exit/0", "exit/1"])
def test_p4_a_server_that_has_died_is_started_again(start_jupyter: Callable[..., Jupyter], how: str) -> None:
    jupyter = start_jupyter('c.ServerProxy.servers = {"echo": {"command": ECHO, "timeout": 60}}')
    first = jupyter.get("echo/").json()["pid"]
    if how == "kill":
        os.kill(first, signal.SIGKILL)
    else:
        assert jupyter.get(f"echo/{how}").status == 200
    wait_until(lambda: process_gone(first), "the child to end")
    answer = jupyter.get("echo/")
    assert answer.status == 200
    assert answer.json()["pid"] != first
    jupyter.stop()


@P("P3")
def test_p3_a_crash_loop_backs_off(jupyter: Jupyter, notes: Path) -> None:
    """Each child dies soon after its second request; the probe is the first."""
    refused = None
    for _ in range(10):
        answer = jupyter.get("loop/")
        if answer.status == 503:
            refused = answer
            break
        pid = int(answer.text)
        wait_until(partial(process_gone, pid), "the child to die")
        time.sleep(0.1)
    assert refused is not None
    assert "keeps ending soon after it was started" in refused.text
    assert int(refused.get("Retry-After") or 0) >= 1
    count = len(pids(notes / "loop"))
    assert jupyter.get("loop/").status == 503
    assert len(pids(notes / "loop")) == count
    wait_until(lambda: jupyter.get("loop/").status == 200, "the pause to be over")
    assert len(pids(notes / "loop")) == count + 1


def test_a_daemon_is_found_and_replaced(jupyter: Jupyter, notes: Path) -> None:
    first = int(jupyter.get("daemon/").text)
    assert int(jupyter.get("daemon/").text) == first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: process_gone(first), "the daemon to end")
    second = int(jupyter.get("daemon/").text)
    assert second != first
    os.kill(second, signal.SIGKILL)


def test_no_zombies_and_no_descriptors_are_left_by_restarts(start_jupyter: Callable[..., Jupyter]) -> None:
    jupyter = start_jupyter('c.ServerProxy.servers = {"echo": {"command": ECHO, "timeout": 60}}')
    process = psutil.Process(jupyter.process.pid)

    def restart() -> None:
        pid = jupyter.get("echo/").json()["pid"]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not psutil.pid_exists(pid), "the child to be reaped")

    restart()
    wait_until(lambda: len(jupyter.descendants()) == 1, "the guard alone to be left")
    before = process.num_fds()
    for _ in range(4):
        wait_until(lambda: jupyter.get("echo/").status == 200, "it to be started again")
        restart()
    wait_until(lambda: len(jupyter.descendants()) == 1, "the guard alone to be left")
    wait_until(lambda: process.num_fds() <= before, "descriptors to be closed", timeout=20)
    jupyter.stop()


# ---- unix sockets


@P("P7")
def test_p7_a_socket_in_a_directory_of_ours(jupyter: Jupyter) -> None:
    pid = int(jupyter.get("private/").text)
    words = psutil.Process(pid).cmdline()
    path = Path(next(word for word in words if word.startswith("--unix-socket=")).partition("=")[2])
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent.stat().st_uid == os.geteuid()
    assert stat.S_ISSOCK(path.stat().st_mode)


@P("P7")
@pytest.mark.parametrize("name", ["stale", "reserved", "fresh"])
def test_p7_a_given_path_that_can_be_used(jupyter: Jupyter, name: str) -> None:
    assert jupyter.get(f"{name}/").status == 200


@P("P7")
def test_p7_what_is_at_a_given_path_is_left_alone(jupyter: Jupyter, paths: dict[str, str]) -> None:
    jupyter.get("full/")
    jupyter.get("directory/")
    assert Path(paths["full"]).read_text() == "precious"
    assert Path(paths["directory"]).is_dir()


@contextlib.contextmanager
def listening_as_somebody_else(port: int) -> Iterator[Callable[[], bool]]:
    """A forked process that listens as user "nobody", and ends when somebody connects."""
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(60)
        with contextlib.suppress(OSError):
            listener.accept()
        os._exit(0)
    try:
        wait_until(lambda: lines_of(Path("/proc/net/tcp").read_text(), f":{port:04X} 0+:0000 0A"), "somebody to listen")
        yield lambda: process_gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def serving(port: int):
    """An echo application of somebody else."""
    command = [word.format(port=port, unix_socket="") for word in ECHO]
    return background(command, lambda: listens(port))


@pytest.fixture(scope="module", autouse=True)
def tidy(paths: dict[str, str]) -> Iterator[None]:
    yield
    subprocess.run(["rm", "-rf", str(Path(paths["stale"]).parent)], check=True)
