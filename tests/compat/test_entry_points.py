"""Packages that announce servers: all in one environment, most without the programs that they would start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Jupyter, lines_of

HERE = Path(__file__).parent
#: The environment that ``run`` makes; the packages in it would be in the way of the other tests.
PYTHON = Path(sys.prefix).parent / "entry/bin/python"

PACKAGES = [line for line in (HERE / "entry-points.txt").read_text().splitlines() if not line.startswith("#")]

FIND = """
import importlib.metadata, json, re
found = {}
for point in importlib.metadata.entry_points(group="jupyter_serverproxy_servers"):
    package = re.sub("[-_.]+", "-", point.dist.name).lower()
    found.setdefault(package, [point.dist.version, []])[1].append([point.name, point.value])
print(json.dumps(found))
"""


@dataclass
class Found:
    """What a Jupyter server made of all packages."""

    jupyter: Jupyter
    listed: dict[str, dict[str, object]]
    points: dict[str, tuple[str, list[tuple[str, str]]]]
    warnings: list[str]


@pytest.fixture(scope="module")
def found(start_jupyter: Callable[..., Jupyter]) -> Found:
    path = f"{PYTHON.parent}:/usr/bin:/bin"
    jupyter = start_jupyter(python=str(PYTHON), environment={"PATH": path}, base_url="/base/")
    listed = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    points = json.loads(subprocess.check_output([PYTHON, "-c", FIND], text=True))
    return Found(jupyter, {one["name"]: one for one in listed}, points, lines_of(jupyter.log(), "entry point .* of "))


@pytest.mark.package
@pytest.mark.parametrize("package", PACKAGES)
def test_entry_points(found: Found, package: str, record_property: Callable[[str, object], None]) -> None:
    """Entry points listed and asked for, or skipped with a warning that names the package"""
    version, points = found.points[package]
    record_property("version", version)
    told = [look_at(found, package, name, value) for name, value in points]
    record_property("exercised", "; ".join(dict.fromkeys(told)))


def look_at(found: Found, package: str, name: str, value: str) -> str:
    """Check one entry point; what became of it."""
    warned = [line for line in found.warnings if repr(value) in line]
    if warned:
        [line] = warned
        assert package.replace("-", "_") in line.replace("-", "_")
        assert "this server is skipped" in line
        reason = line.partition(f"server {name!r}: ")[2].partition(" (entry point")[0]
        assert len(reason) > 20, line
        return f"`{name}` skipped with a warning: {reason}"
    others = [other for other, (_, points) in found.points.items() if name in dict(points) and other != package]
    if others and f"server {name!r} is defined more than once" in found.jupyter.log():
        return f"`{name}` loaded; one of {', '.join([package, *others])} serves this name"
    assert name in found.listed
    answer = found.jupyter.get(f"{name}/", timeout=60)
    if answer.status >= 500:  # its program is not there: that must be said
        assert answer.status in (500, 503)
        assert f"'{name}'" in answer.text
        return f"listed; asked for without its program: {answer.status}, which says what is missing"
    return f"`{name}` listed; asked for: {answer.status}"


def test_no_package_disturbs_another(found: Found) -> None:
    """All packages are there; Jupyter answers, and logs no traceback of ours"""
    assert sorted(found.points) == sorted(PACKAGES)
    assert found.jupyter.get("api").status == 200
    assert len(found.listed) > 20
