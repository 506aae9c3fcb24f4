"""Fixtures of the compatibility suite, and the record that it keeps: ``.cache/compat/results.json``.

A test names the packages it uses by ``@pytest.mark.package("distributed", ...)``; the first line of its docstring says
what it exercises. ``table.py`` makes the table of ``docs/compatibility.md`` from both.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".cache/compat/results.json"

sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/integration")]

from harness import Jupyter  # noqa: E402

StartJupyter = Callable[..., Jupyter]

#: Names in the table of what comes from Debian, and its packages there.
DEBIAN = {
    "OpenRefine": "openrefine",
    "OpenSSH": "openssh-server",
    "Syncthing": "syncthing",
    "TigerVNC": "tigervnc-standalone-server",
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "package(*names): the packages that a test uses")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("package")
    if marker is not None and (report.when == "call" or report.outcome != "passed"):
        told = dict(item.user_properties)
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        doc = (getattr(item, "function").__doc__ or item.name).strip().splitlines()[0].rstrip(".")  # noqa: B009
        for name in marker.args or (parameters["package"],):
            version = told.get("version") or version_of(name)
            note(item.nodeid, name, str(version), str(told.get("exercised", doc)), report.outcome)
    return report


def version_of(name: str) -> str:
    """The installed version of a package, of Python's or Debian's."""
    if name in DEBIAN:
        return subprocess.check_output(["dpkg-query", "--show", "--showformat=${Version}", DEBIAN[name]], text=True)
    return importlib.metadata.version(name)


def note(test: str, package: str, version: str, exercised: str, result: str) -> None:
    """Write one result, in place of an earlier one of the same test and package."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows = [row for row in rows if (row["test"], row["package"]) != (test, package)]
    rows.append({"test": test, "package": package, "version": version, "exercised": exercised, "result": result})
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


@pytest.fixture(scope="module")
def start_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartJupyter]:
    """Starts Jupyter servers (arguments as for ``harness.Jupyter``) that end with the module.

    Commands are found in this environment first, as they are where somebody has activated it.
    """
    servers: list[Jupyter] = []

    def start(config: str = "", *, environment: dict[str, str] | None = None, **options: Any) -> Jupyter:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        directory = tmp_path_factory.mktemp("jupyter") / "server"
        server = Jupyter(directory, config, environment={"PATH": path, **(environment or {})}, **options)
        servers.append(server)
        return server.wait_ready()

    yield start
    for server in servers:
        server.stop()
