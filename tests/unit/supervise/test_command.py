"""What to run, with which environment: options filled in for one start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_server_proxy.errors import StartFailed
from jupyter_server_proxy.rules.spec import ServerSpec
from jupyter_server_proxy.supervise.command import render_command, render_environment

ARGUMENTS = {"port": 7, "unix_socket": "", "base_url": "/base/"}


def words(command: Any) -> list[str]:
    return render_command(ServerSpec("app", command=command), ARGUMENTS)


def variables(environment: Any) -> dict[str, str]:
    return render_environment(ServerSpec("app", environment=environment), ARGUMENTS)


def fail(port: int) -> Any:
    raise RuntimeError("no licence")


def test_words_are_filled_in() -> None:
    assert words(("run", "--port={port}", "{base_url}x", "{{}}")) == ["run", "--port=7", "/base/x", "{}"]
    assert words(lambda port, base_url: ("run", Path("/p"), f"{port}{base_url}")) == ["run", "/p", "7/base/"]


@pytest.mark.parametrize("command", [(), lambda: [], lambda: None, lambda: ()])
def test_there_may_be_nothing_to_run(command: Any) -> None:
    assert words(command) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (fail, "The command of server 'app' cannot be used: RuntimeError: no licence"),
        (lambda wrong: [], "The command of server 'app' cannot be used: TypeError: .*asks for wrong"),
        (("run", "{wrong}"), "The command of server 'app' cannot be used: ValueError: .*{wrong}"),
        (lambda: "run --port 7", "must be a list of words, not str"),
        (lambda: {"run": "x"}, "must be a list of words, not dict"),
        (lambda: ["run", None], "Word 2 of the command of server 'app' is None. Probably a program"),
        (lambda: ["run", 7], "cannot be used: TypeError: a template is of type int"),
    ],
)
def test_what_cannot_be_run_names_the_server(command: Any, message: str) -> None:
    with pytest.raises(StartFailed, match=message):
        words(command)


def test_the_environment_is_filled_in_and_none_is_left_out() -> None:
    assert variables({"A": "{port}", "B": None, "{base_url}": "x"}) == {"A": "7", "/base/": "x"}
    assert variables(lambda port: {"A": str(port)}) == {"A": "7"}
    assert variables(lambda: None) == variables({}) == {}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (fail, "The environment of server 'app' cannot be used: RuntimeError: no licence"),
        (lambda: ["A=x"], "The environment of server 'app' must be a dictionary, not list"),
        (lambda: {"A": 7}, "cannot be used: TypeError: the value of 'A' is of type int"),
        (lambda: {None: "x"}, "Variable None in the environment of server 'app' must be text"),
    ],
)
def test_an_environment_that_cannot_be_used_names_the_server(environment: Any, message: str) -> None:
    with pytest.raises(StartFailed, match=message):
        variables(environment)


def test_values_of_the_environment_are_not_told() -> None:
    with pytest.raises(StartFailed) as caught:
        variables({"A": "s3cret {wrong}"})
    assert "s3cret" not in caught.value.message


def test_the_configuration_stays_as_it_is() -> None:
    """Packages share one dictionary between several servers."""
    shared: dict[str, str | None] = {"A": "{port}", "B": None}
    variables(shared)
    assert shared == {"A": "{port}", "B": None}
