"""What is left of the servers when Jupyter ends, whatever way it ends: nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from harness import PATIENCE, Jupyter, process_gone, wait_until, words_of

CHILD = str(Path(__file__).parent / "children" / "child.py")

TELL_SIGNALS = """
import signal
from jupyter_server.base.handlers import JupyterHandler

class Tell(JupyterHandler):
    def get(self):
        self.finish({number.name: repr(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)})

default_handlers = [("/signals", Tell)]
"""


def child(*arguments: str) -> str:
    return repr([sys.executable, CHILD, *arguments])


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def shut_down(jupyter: Jupyter) -> None:
    assert jupyter.request("POST", "api/shutdown", body=b"").status == 200


ENDS: dict[str, Callable[[Jupyter], None]] = {
    "SIGTERM": lambda jupyter: jupyter.signal(signal.SIGTERM),
    "SIGINT twice": lambda jupyter: (jupyter.signal(signal.SIGINT), jupyter.signal(signal.SIGINT))[0],
    "api/shutdown": shut_down,
    "kill -9": lambda jupyter: jupyter.signal(signal.SIGKILL),
}


@pytest.fixture
def family(start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> tuple[Jupyter, list[int], Path]:
    """Two servers with a child and a grandchild each; one family ignores SIGTERM. And the directory of a socket."""
    jupyter = start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "mild": {{"command": {child("--port={port}", f"--started={tmp_path / 'pids'}", "--family")}, "timeout": 60}},
    "stubborn": {{"command": {
            child("--unix-socket={unix_socket}", f"--started={tmp_path / 'pids'}", "--family", "--stubborn")
        }, "unix_socket": True, "timeout": 60}},
}}
"""
    )
    assert jupyter.get("mild/").status == 200
    pid = int(jupyter.get("stubborn/").text)
    word = next(word for word in psutil.Process(pid).cmdline() if word.startswith("--unix-socket="))
    members = pids(tmp_path / "pids")
    assert len(members) == 6
    assert not any(process_gone(member) for member in members)
    return jupyter, members, Path(word.partition("=")[2]).parent


@pytest.mark.behaviour("P1", "P7")
@pytest.mark.parametrize("end", ENDS)
def test_p1_all_processes_end_with_jupyter(family: tuple[Jupyter, list[int], Path], end: str) -> None:
    jupyter, members, directory = family
    descendants = [process.pid for process in jupyter.descendants()]
    assert set(members) < set(descendants)
    ENDS[end](jupyter)
    jupyter.process.wait(PATIENCE)
    wait_until(lambda: all(map(process_gone, descendants)), "every process, the guard too, to end", timeout=20)
    if end != "kill -9":
        assert not directory.exists()
    else:  # nobody is left to tidy up; the directory is this user's alone
        assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.behaviour("P1")
@pytest.mark.parametrize("end", ["SIGTERM", "kill -9"])
def test_p1_a_server_that_is_starting_ends_with_jupyter(
    start_jupyter: Callable[..., Jupyter], tmp_path: Path, end: str
) -> None:
    command = child("--port={port}", f"--started={tmp_path / 'pids'}", "--delay=600", "--family")
    jupyter = start_jupyter(f'c.ServerProxy.servers = {{"slow": {{"command": {command}, "timeout": 600}}}}')
    outcome: list[int] = []

    def ask() -> None:
        try:
            outcome.append(jupyter.get("slow/").status)
        except OSError:
            outcome.append(0)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: len(pids(tmp_path / "pids")) == 3, "the family to be complete")
    ENDS[end](jupyter)
    jupyter.process.wait(PATIENCE)
    asking.join(PATIENCE)
    assert outcome in ([0], [503])
    wait_until(lambda: all(map(process_gone, pids(tmp_path / "pids"))), "every process to end", timeout=20)


@pytest.mark.behaviour("P1")
def test_p1_a_guard_that_was_killed_is_replaced(start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> None:
    command = child("--port={port}", f"--started={tmp_path / 'pids'}")
    jupyter = start_jupyter(
        f'c.ServerProxy.servers = {{name: {{"command": {command}, "timeout": 60}} for name in ("one", "two")}}'
    )
    assert jupyter.get("one/").status == 200
    (guard,) = guards(jupyter)
    guard.kill()
    wait_until(lambda: process_gone(guard.pid), "the guard to end")
    assert jupyter.get("two/").status == 200
    (another,) = guards(jupyter)
    assert another.pid != guard.pid
    jupyter.signal(signal.SIGKILL)
    jupyter.process.wait(PATIENCE)
    wait_until(lambda: all(map(process_gone, [another.pid, *pids(tmp_path / "pids")])), "all to end", timeout=20)


@pytest.mark.behaviour("P1")
def test_p1_children_hold_nothing_of_the_guards(start_jupyter: Callable[..., Jupyter]) -> None:
    """If one held the pipe by which the guard notices the end of Jupyter, it would never notice."""
    jupyter = start_jupyter('c.ServerProxy.servers = {"echo": {"command": ECHO}, "late": {"command": ECHO}}')
    first = jupyter.get("echo/").json()["pid"]
    second = jupyter.get("late/").json()["pid"]
    (guard,) = guards(jupyter)
    pipe = os.readlink(f"/proc/{guard.pid}/fd/0")
    assert pipe.startswith("pipe:")
    for pid in (first, second):
        held = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd") if entry.name != "3"]
        assert pipe not in held
        jupyter_held = {os.readlink(e.path) for e in os.scandir(f"/proc/{jupyter.process.pid}/fd")}
        sockets = {target for target in held if target.startswith("socket:")}
        assert not sockets & jupyter_held


def guards(jupyter: Jupyter) -> list[psutil.Process]:
    """Its guard processes."""
    return [process for process in jupyter.descendants() if any("reaper_script" in word for word in words_of(process))]


@pytest.mark.behaviour("P2")
def test_p2_signal_handlers_stay_as_they_are(start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> None:
    (tmp_path / "tell_signals.py").write_text(TELL_SIGNALS)
    jupyter = start_jupyter(
        'c.ServerApp.extra_services = ["tell_signals"]\nc.ServerProxy.servers = {"echo": {"command": ECHO}}',
        environment={"PYTHONPATH": str(tmp_path)},
    )
    before = jupyter.get("signals").json()
    assert "ServerApp" in before["SIGTERM"]
    assert jupyter.get("echo/").status == 200
    assert jupyter.get("signals").json() == before
