"""Why a server did not start: messages that name the server, the reason and the remedy."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.rules.spec import ServerSpec
from jupyter_server_proxy.supervise import failures as module
from jupyter_server_proxy.supervise.failures import describe_exit, exited, not_found, not_permitted, too_late

SPEC = ServerSpec("app", command=("run",))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exited with status 0"),
        (127, "exited with status 127"),
        (-signal.SIGSEGV, "was ended by SIGSEGV"),
        (-120, "was ended by signal 120"),
    ],
)
def test_how_a_process_ended(code: int, words: str) -> None:
    assert describe_exit(code) == words


@pytest.mark.behaviour("P9")
def test_a_process_that_ended_before_it_was_ready() -> None:
    error = exited(SPEC, -9, ("a", "b"))
    assert error.message == "Server 'app' was ended by SIGKILL while it was starting."
    assert (error.exit_code, error.output, error.status) == (-9, ("a", "b"), 503)


@pytest.mark.behaviour("P9")
def test_a_program_that_is_not_installed(tmp_path: Path) -> None:
    message = not_found("app", "no-such-program", str(tmp_path)).message
    assert message == (
        "Server 'app' could not be started: there is no program 'no-such-program'. Install it, or write its full path "
        "into the server's command."
    )


def test_a_script_whose_interpreter_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    assert "the interpreter in its first line does not exist" in not_found("app", str(script), str(tmp_path)).message
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the interpreter in its first line does not exist" in not_found("app", "script", str(tmp_path)).message


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    cwd = str(tmp_path / "missing")
    assert not_found("app", "sh", cwd).message == (
        f"Server 'app' could not be started: there is no directory '{cwd}' to run in. Correct its option cwd."
    )


def test_what_may_not_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not_permitted("app", "./x", str(tmp_path)).message == (
        "Server 'app' could not be started: './x' is not executable."
    )
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (str(tmp_path), os.X_OK))
    assert not_permitted("app", "./x", str(tmp_path)).message == (
        f"Server 'app' could not be started: the directory '{tmp_path}' cannot be entered."
    )


# ---- time is up


class Case:
    """What is known about a server that was not ready in time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.endpoint = SimpleNamespace(is_unix=False, port=7000, path="")
        self.readiness = SimpleNamespace(taken=False, not_ready="")
        self.process = SimpleNamespace(pid=42, running=True)
        self.ports: set[int] = set()
        monkeypatch.setattr(module, "tree_ports", lambda pid, group: self.ports if pid == group == 42 else None)
        monkeypatch.setattr(module, "describe_listener", lambda port: f"process 9 (other{port})")

    def use_socket(self) -> None:
        self.endpoint = SimpleNamespace(is_unix=True, port=0, path="/run/s")

    def error(self) -> Any:
        return too_late(SPEC, 2.5, self.endpoint, self.readiness, self.process, ("last",))  # type: ignore[arg-type]


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(monkeypatch)


LATE = "Server 'app' did not answer on port 7000 within 2.5 s."


@pytest.mark.behaviour("P9")
def test_nothing_more_is_known(case: Case) -> None:
    error = case.error()
    assert error.message == f"{LATE} If it needs more time, raise its timeout."
    assert (error.output, error.exit_code) == (("last",), None)


def test_it_listens_where_it_should_but_does_not_answer(case: Case) -> None:
    case.ports = {7000}
    assert "raise its timeout" in case.error().message


def test_its_command_has_ended(case: Case) -> None:
    case.process.running = False
    error = case.error()
    assert error.message == f"{LATE} Its command has ended with status 0."
    assert error.exit_code == 0


@pytest.mark.behaviour("P10")
def test_it_listens_elsewhere(case: Case) -> None:
    case.ports = {8888, 8050}
    assert case.error().message == (
        f"{LATE} It listens on port 8050, 8888 instead: use {{port}} in its command, or set its option find_port."
    )


def test_it_listens_elsewhere_and_should_at_a_socket(case: Case) -> None:
    case.use_socket()
    case.ports = {8050}
    message = case.error().message
    assert message.startswith("Server 'app' did not answer on /run/s within 2.5 s. It listens on port 8050 instead")
    assert "use {unix_socket} in its command" in message


def test_its_port_was_taken(case: Case) -> None:
    case.readiness.taken = True
    assert case.error().message == f"{LATE} That port was taken already by process 9 (other7000)."
    case.ports = {7000}  # both listen: that is no reason
    assert "taken" not in case.error().message


def test_its_socket_was_taken(case: Case) -> None:
    case.use_socket()
    case.readiness.taken = True
    assert case.error().message.endswith("within 2.5 s. Somebody else listened there already.")


def test_it_answers_but_is_not_ready(case: Case) -> None:
    case.ports = {7000}
    case.readiness.not_ready = "its answer to /health has status 503"
    assert case.error().message == ("Server 'app' was not ready within 2.5 s: its answer to /health has status 503.")
