"""Presets fill in what a configuration leaves open, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.errors import ConfigurationError
from jupyter_server_proxy.option import option_names
from jupyter_server_proxy.rules.place import place_arguments
from jupyter_server_proxy.rules.presets import PRESETS, Argument
from jupyter_server_proxy.rules.template import realize

HERE = {"port": 4, "unix_socket": "/s", **place_arguments("/b/", "/b/x", "", {})}


def words(command: Any, preset: str = "streamlit", **options: Any) -> list[str]:
    spec = ServerProcess(name="x", command=command, preset=preset, **options).spec()
    found = realize(spec.command, HERE)
    assert spec.command is not command
    return list(found)


def test_the_command_is_completed() -> None:
    assert words(["streamlit", "run", "a.py"]) == [
        "streamlit", "run", "a.py", "--server.port=4", "--server.address=127.0.0.1", "--server.headless=true",
        "--server.baseUrlPath=/b/x",
    ]  # fmt: skip


@pytest.mark.parametrize("own", [["--server.port", "9"], ["--server.port=9"]])
def test_an_argument_that_is_there_stays(own: list[str]) -> None:
    found = words(["streamlit", "run", "a.py", *own])
    assert [word for word in found if "server.port" in word] == own[:1]


def test_another_argument_of_a_similar_name_is_another() -> None:
    assert "--port=4" in words(["uvicorn", "m:a", "--port-file=x"], "uvicorn")


@pytest.mark.parametrize("own", [["-p", "9"], ["-p9"], ["--port", "9"]])
def test_other_spellings_count(own: list[str]) -> None:
    assert not any(word.startswith("--port=") for word in words(["mlflow", "server", *own], "mlflow"))


def test_nothing_is_added_to_somebody_elses_arguments() -> None:
    found = words(["panel", "serve", "a.py", "--args", "--port", "1"], "panel")
    assert found[-3:] == ["--args", "--port", "1"]
    assert found[3] == "--port=4"
    assert words(["streamlit", "run", "a.py", "--", "-x"])[-2:] == ["--", "-x"]


def test_a_callable_is_completed_too() -> None:
    found = words(lambda port: ["uvicorn", "m:a", f"--port={port}"], "uvicorn")
    assert found == ["uvicorn", "m:a", "--port=4", "--host=127.0.0.1", "--root-path=/b/x"]


def test_a_callable_may_still_say_that_there_is_nothing_to_start() -> None:
    assert words(lambda: [], "uvicorn") == []


def test_no_command_stays_no_command() -> None:
    spec = ServerProcess(name="x", port=9, preset="dash").spec()
    assert (spec.command, spec.absolute_url) == ((), True)


def test_the_environment_is_completed_and_own_values_win() -> None:
    def rendered(environment: Any) -> dict[str, Any]:
        spec = ServerProcess(name="x", command=["run"], preset="gradio", environment=environment).spec()
        return dict(realize(spec.environment, HERE))

    whole = {"GRADIO_SERVER_PORT": "4", "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_ROOT_PATH": "/b/x"}
    assert rendered({}) == whole
    assert rendered({"GRADIO_ROOT_PATH": "/y", "A": "1"}) == {**whole, "GRADIO_ROOT_PATH": "/y", "A": "1"}
    assert rendered({"GRADIO_ROOT_PATH": None})["GRADIO_ROOT_PATH"] is None
    assert rendered(lambda port: {"A": f"{port}"}) == {**whole, "A": "4"}
    assert rendered(lambda: None) == whole


def test_given_options_win() -> None:
    assert ServerProcess(name="x", preset="streamlit").timeout == 60
    given = ServerProcess(name="x", preset="streamlit", absolute_url=False, timeout=7, readiness=None, command=["s"])
    spec = given.spec()
    assert (spec.absolute_url, spec.timeout, spec.lifecycle.readiness.path) == (False, 7.0, "/")


def test_without_a_preset_nothing_is_added() -> None:
    spec = ServerProcess(name="x", command=["streamlit"]).spec()
    assert (spec.command, spec.environment, spec.absolute_url, spec.timeout) == (("streamlit",), {}, False, 5.0)


def test_unix_sockets() -> None:
    assert words(["uvicorn", "m:a"], "uvicorn", unix_socket=True) == [
        "uvicorn", "m:a", "--uds=/s", "--root-path=/b/x",
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="server 'x': preset 'mlflow' is for TCP ports"):
        ServerProcess(name="x", command=["m"], preset="mlflow", unix_socket=True).spec()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("Streamlit", "did you mean 'streamlit'"),
        (3, "must be one of bokeh, .*got the int 3"),
        ("x", "got the str 'x'$"),
    ],
)
def test_a_wrong_preset_is_named(wrong: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ServerProcess(name="x", preset=wrong)


def test_the_command_that_was_given_stays_as_it_is() -> None:
    command, environment = ["streamlit", "run", "a.py"], {"A": "1"}
    ServerProcess(name="x", command=command, environment=environment, preset="streamlit").spec()
    assert (command, environment) == (["streamlit", "run", "a.py"], {"A": "1"})


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_is_valid(name: str) -> None:
    preset = PRESETS[name]
    assert set(preset.options) <= set(option_names(ServerProcess)) - {"command", "environment", "preset"}
    process = ServerProcess(name="x", command=["program"], preset=name)
    spec = process.spec()
    realize(spec.command, HERE)
    realize(spec.environment, HERE)
    assert f'"{name}"' in str(ServerProcess.preset.help)


def test_an_argument_without_a_value() -> None:
    flag = Argument(("--no-browser",))
    assert (flag.word, flag.is_in(["--no-browser"]), flag.is_in(["--no-browser-x"])) == ("--no-browser", True, False)
