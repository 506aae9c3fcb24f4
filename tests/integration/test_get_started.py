"""docs/get-started.md, followed to the letter: its files where it puts them, its commands as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Jupyter, process_gone, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "get-started.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """Blocks of the page that begin with the name of a file."""
    return dict(re.findall(r"```python\n# ([\w.]+)\n(.*?)```", PAGE, re.DOTALL))


def commands() -> list[str]:
    """Those for the shell that are not about installing."""
    return re.findall(r"^jupyter server-proxy.*$", PAGE, re.MULTILINE)


def config_folder() -> str:
    """Where the page puts the configuration, below the home directory."""
    (found,) = re.findall(r"the file `jupyter_server_config.py` in `~/([.\w]+)`", PAGE)
    return str(found)


class Newcomer:
    """Somebody with an empty home, who types commands into a shell."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": "",  # as if it were not set: the default of Jupyter counts
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def types(self, command: str) -> str:
        done = subprocess.run(
            command.split(),
            cwd=self.home,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    found, home = files(), tmp_path / "home"
    (home / config_folder()).mkdir(parents=True)
    (home / config_folder() / "jupyter_server_config.py").write_text(found["jupyter_server_config.py"])
    (home / "hello.py").write_text(found["hello.py"])
    return Newcomer(home)


@pytest.fixture
def jupyter(newcomer: Newcomer) -> Iterator[Jupyter]:
    server = Jupyter(newcomer.home, environment=newcomer.environment)
    try:
        yield server.wait_ready()
    finally:
        server.stop()


def test_each_step(newcomer: Newcomer, jupyter: Jupyter) -> None:
    assert "hello" in newcomer.types("jupyter server-proxy doctor")
    (server,) = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    assert server["launcher_entry"]["title"] == "Hello"
    answer = jupyter.get("hello/")
    assert (answer.status, answer.text) == (200, f"Hello from http://127.0.0.1:{jupyter.port}/hello/\n")
    (pid,) = [process.pid for process in jupyter.descendants() if "hello.py" in process.cmdline()]
    shown = {command: newcomer.types(command) for command in commands()}
    assert "ready" in shown["jupyter server-proxy list"]
    assert "Hello is starting" in shown["jupyter server-proxy logs hello"]
    assert "jupyter server-proxy stop hello" in shown
    wait_until(lambda: process_gone(pid), "the application to end")


def test_what_it_says_of_failures(newcomer: Newcomer, jupyter: Jupyter) -> None:
    (newcomer.home / "hello.py").unlink()
    answer = jupyter.get("hello/")
    assert answer.status == 503
    assert "exited with status 2 while it was starting" in answer.text
    page = jupyter.get("hello/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}).text
    assert "open file" in page
    assert "`can't open file`" in PAGE


def test_what_it_says_of_a_configuration_elsewhere(newcomer: Newcomer) -> None:
    config = newcomer.home / config_folder() / "jupyter_server_config.py"
    config.rename(newcomer.home / config.name)
    server = Jupyter(newcomer.home, environment=newcomer.environment)
    try:
        server.wait_ready()
        said = newcomer.types("jupyter server-proxy list").strip()
    finally:
        server.stop()
    assert said == "No server is configured."
    assert f"| `{said}` |" in PAGE
