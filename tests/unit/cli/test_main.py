"""Arguments and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from jupyter_server_proxy.cli import commands
from jupyter_server_proxy.cli.failure import ExitCode, Failure
from jupyter_server_proxy.cli.main import main


@pytest.fixture
def list_does(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces what the command ``list`` does."""

    def replace(function: Any) -> None:
        monkeypatch.setattr(commands, "list_servers", function)

    return replace


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["nonsense"], ["start"], ["start", "a", "b"], ["stop"], ["stop", "a", "--all"], ["logs"],
        ["logs", "a", "-n", "many"], ["list", "--port", "x"], ["open"], ["doctor", "a"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: jupyter server-proxy")


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"], ["doctor", "--help"]], ids=" ".join)
def test_help_tells_the_exit_codes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for code in (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.NO_JUPYTER, ExitCode.UNKNOWN_SERVER):
        assert f"\n  {code:d}    " in text
    assert f"\n  {ExitCode.INTERRUPTED:d}  " in text


@pytest.mark.parametrize("code", list(ExitCode))
def test_failures(code: ExitCode, list_does: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: Any) -> None:
        raise Failure("why", code, {"output": ["\x1b[31mlast\x1b[0m"]})

    list_does(fail)
    assert main(["list"]) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "why\nIts last output:\nlast\n")

    assert main(["list", "--json"]) == code
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "error": {"message": "why", "code": int(code), "output": ["\x1b[31mlast\x1b[0m"]}
    }
    assert captured.err == "why\n"


def test_ctrl_c_says_nothing(list_does: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    list_does(interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_command_gets_its_arguments(list_does: Any) -> None:
    seen = []
    list_does(lambda console, connect, arguments: seen.append((console.as_json, arguments.port)))
    assert main(["list", "--json", "--port", "8888"]) == 0
    assert seen == [(True, 8888)]


def test_importing_it_is_cheap() -> None:
    program = "import sys, jupyter_server_proxy.cli.main\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"jupyter_server", "jupyter_core", "tornado", "traitlets", "psutil", "asyncio"})
