"""The files around the code: what they promise is true of each other."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import jupyter_server_proxy

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def array_in_pyproject(key: str) -> list[str]:
    """The strings of one array; Python 3.10 cannot read TOML."""
    found = re.search(rf"^{re.escape(key)} = \[(.*?)^\]", PYPROJECT, re.MULTILINE | re.DOTALL)
    assert found, f"pyproject.toml has no {key}"
    return re.findall(r'"([^"]+)"', found[1])


def test_the_version_is_the_one_that_is_installed() -> None:
    installed = importlib.metadata.version("jupyter-server-proxy")
    assert installed == jupyter_server_proxy.__version__, "run `make test` again after a change of the version"


def test_the_version_stays_in_4() -> None:
    # Published packages require jupyter-server-proxy >=4.1,<5, others that it is at least 4.4.
    major, minor = jupyter_server_proxy.__version__.split(".")[:2]
    assert int(major) == 4
    assert int(minor) >= 4


@pytest.mark.parametrize(
    ("folder", "application", "trait"),
    [
        ("jupyter_server_config.d", "ServerApp", "jpserver_extensions"),
        ("jupyter_notebook_config.d", "NotebookApp", "nbserver_extensions"),
    ],
)
def test_installing_enables_the_extension(folder: str, application: str, trait: str) -> None:
    relative = f"etc/jupyter/{folder}"
    content = json.loads((ROOT / relative / "jupyter-server-proxy.json").read_text(encoding="utf-8"))
    assert content == {application: {trait: {"jupyter_server_proxy": True}}}
    assert f'"{relative}" = "{relative}"' in PYPROJECT, "the wheel has to carry it"


def test_the_module_that_is_enabled_is_an_extension() -> None:
    (point,) = jupyter_server_proxy._jupyter_server_extension_points()
    assert point["module"] == "jupyter_server_proxy"
    assert callable(jupyter_server_proxy._load_jupyter_server_extension)


def test_types_are_announced() -> None:
    assert (ROOT / "jupyter_server_proxy" / "py.typed").exists()


def test_every_dependency_is_justified() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = [re.split(r"[\s<>=!~\[]", requirement)[0] for requirement in array_in_pyproject("dependencies")]
    assert names, "no dependency was found"
    for name in names:
        assert f"| `{name}` |" in architecture, f"docs/architecture.md has no row for {name}"


def test_every_option_is_documented() -> None:
    from jupyter_server_proxy.config import LauncherEntry, ServerProcess, ServerProxy
    from jupyter_server_proxy.lifecycle import Lifecycle
    from jupyter_server_proxy.protection import Protection

    documented = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for owner in (ServerProcess, Lifecycle, LauncherEntry, ServerProxy, Protection):
        for name in owner.class_own_traits():
            assert f"`{name}`" in documented, f"docs/configuration.md does not speak of {owner.__name__}.{name}"


def test_the_presets_are_documented_as_they_are() -> None:
    from jupyter_server_proxy.rules.presets import PRESETS

    lines = ["| preset | arguments | environment | options |", "|---|---|---|---|"]
    for name, preset in PRESETS.items():
        arguments = " ".join(f"`{argument.word}`" for argument in preset.arguments)
        environment = " ".join(f"`{key}={value}`" for key, value in preset.environment.items())
        options = " ".join(f"`{key}: {value!r}`" for key, value in preset.options.items())
        lines.append(f"| `{name}` | {arguments} | {environment} | {options} |")
    documented = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = documented.partition("<!-- begin: presets -->")[2].partition("<!-- end: presets -->")[0]
    assert table.strip().splitlines() == lines


def test_fragments_of_the_changelog_have_a_known_type() -> None:
    types = set(re.findall(r'^directory = "(\w+)"\nname', PYPROJECT, re.MULTILINE))
    assert types >= {"added", "fixed"}
    for path in (ROOT / "changes").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(rf"(\d+|\+[\w-]+)\.({'|'.join(types)})\.md", path.name), path.name


@pytest.mark.parametrize("path", sorted((ROOT / "demo" / "icons").glob("*.svg")), ids=lambda path: path.name)
def test_icons_of_the_demo_are_svg(path: Path) -> None:
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_ci_runs_what_contributors_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make test"
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=60)


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_required_behaviour_has_a_test() -> None:
    spec = importlib.util.spec_from_file_location("behaviours", ROOT / "tests" / "behaviours.py")
    assert spec is not None
    assert spec.loader is not None
    behaviours = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(behaviours)
    found = behaviours.covered()
    assert [name for name in behaviours.IDS if not found[name]] == []
