"""Servers that installed packages bring along, and what installing this package does, in a real Jupyter."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import ECHO, Jupyter, lines_of

ROOT = Path(__file__).parents[2]

HEAD = f"""
import json, sys
ECHO = {ECHO!r}
"""

SHARED = """
SHARED = {"command": [*ECHO, "--shared"], "launcher_entry": {"icon_path": __file__}, "environment": {"A": "{port}"}}
BEFORE = repr(SHARED)


def server():
    return SHARED


def unchanged():
    return {"command": [*ECHO, "--unchanged=" + str(repr(SHARED) == BEFORE).lower()]}
"""

#: Module by module: source, entry points.
PACKAGES = {
    "ep_good": (
        "def server():\n    return {'command': [*ECHO, '--from-package'], 'launcher_entry': {'title': 'Packaged'}}\n",
        {"good": "ep_good:server", "overridden": "ep_good:server"},
    ),
    "ep_shared": (
        SHARED,
        {
            "shared-one": "ep_shared:server",
            "shared-two": "ep_shared:server",
            "unchanged": "ep_shared:unchanged",
        },
    ),
    "ep_instance": (
        "from jupyter_server_proxy.config import ServerProcess\n"
        "class Own(ServerProcess):\n    pass\n"
        "def server():\n    return Own(name='instance', command=ECHO)\n",
        {"instance": "ep_instance:server"},
    ),
    "ep_import": ("import no_such_module_anywhere\n", {"b-import": "ep_import:server"}),
    "ep_syntax": ("def server(:\n", {"b-syntax": "ep_syntax:server"}),
    "ep_absent": ("", {"b-absent": "ep_absent:server"}),
    "ep_raises": ("def server():\n    raise RuntimeError('out of order')\n", {"b-raises": "ep_raises:server"}),
    "ep_exits": ("def server():\n    sys.exit(3)\n", {"b-exits": "ep_exits:server"}),
    "ep_none": ("def server():\n    return None\n", {"b-none": "ep_none:server"}),
    "ep_list": ("def server():\n    return ECHO\n", {"b-list": "ep_list:server"}),
    "ep_data": ("server = {'command': ECHO}\n", {"b-data": "ep_data:server"}),
    "ep_option": ("def server():\n    return {'command': ECHO, 'timeout': -1}\n", {"b-option": "ep_option:server"}),
    "ep_which": ("def server():\n    return {'command': [None, '-x']}\n", {"b-which": "ep_which:server"}),
    "ep_argument": ("def server(port):\n    return {'command': ECHO}\n", {"b-argument": "ep_argument:server"}),
    "ep_unknown": (
        "def server():\n    return {'command': ECHO, 'new_browser_window': True}\n",
        {"unknown-key": "ep_unknown:server"},
    ),
    "ep_twice": ("def server():\n    return {'command': [*ECHO, '--second']}\n", {"twice": "ep_twice:server"}),
    "ep_twice_more": ("def server():\n    return {'command': ECHO}\n", {"twice": "ep_twice_more:server"}),
}

CONFIG = """
c.ServerProxy.servers = {"overridden": {"command": [*ECHO, "--from-configuration"]}, "configured": {"command": ECHO}}
"""


def build_package(site: Path, module: str, source: str, entry_points: dict[str, str]) -> None:
    """A module and the metadata of its distribution, as an installer leaves them."""
    (site / f"{module}.py").write_text(HEAD + source)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[jupyter_serverproxy_servers]", *lines, ""]))


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    site = tmp_path_factory.mktemp("site")
    for module, (source, entry_points) in PACKAGES.items():
        build_package(site, module, source, entry_points)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return start_jupyter(CONFIG, environment={"PYTHONPATH": path})


def words(jupyter: Jupyter, name: str) -> list[str]:
    answer = jupyter.get(f"{name}/environ")
    assert answer.status == 200, answer.text
    result: list[str] = answer.json()["argv"]
    return result


def servers_info(jupyter: Jupyter) -> dict[str, Any]:
    listed = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    return {server["name"]: server for server in listed}


def test_good_one(jupyter: Jupyter) -> None:
    assert words(jupyter, "good")[-1] == "--from-package"
    assert servers_info(jupyter)["good"]["launcher_entry"]["title"] == "Packaged"


def test_configuration_wins(jupyter: Jupyter) -> None:
    """People override the server of a package by one of the same name."""
    assert words(jupyter, "overridden")[-1] == "--from-configuration"
    assert words(jupyter, "configured")


def test_servers_are_listed_once(jupyter: Jupyter) -> None:
    listed = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    names = [server["name"] for server in listed]
    assert sorted(names) == sorted(set(names))
    own = {"overridden", "configured", "good", "shared-one", "shared-two", "unchanged", "instance", "unknown-key"}
    assert own | {"twice"} <= set(names)


def test_shared_dictionary(jupyter: Jupyter) -> None:
    """Two entry points may return one dictionary: each makes a server of its own, and it stays as it is."""
    assert words(jupyter, "shared-one")[-1] == "--shared"
    assert words(jupyter, "shared-two")[-1] == "--shared"
    assert words(jupyter, "shared-one")[0] != words(jupyter, "shared-two")[0]
    entries = servers_info(jupyter)
    assert entries["shared-one"]["launcher_entry"]["title"] == "shared-one"
    assert entries["shared-two"]["launcher_entry"]["path_info"] == "shared-two/"
    assert words(jupyter, "unchanged")[-1] == "--unchanged=true"


def test_server_process_instance(jupyter: Jupyter) -> None:
    assert words(jupyter, "instance")


def test_unknown_key_only_warns(jupyter: Jupyter) -> None:
    assert words(jupyter, "unknown-key")
    assert len(lines_of(jupyter.log(), "unknown key 'new_browser_window'")) == 1


def test_two_packages_with_one_name(jupyter: Jupyter) -> None:
    assert words(jupyter, "twice")
    assert len(lines_of(jupyter.log(), "'twice' is defined more than once")) == 1


@pytest.mark.behaviour("P11")
@pytest.mark.parametrize(
    ("name", "package", "reason"),
    [
        ("b-import", "ep-import", "no_such_module_anywhere"),
        ("b-syntax", "ep-syntax", "SyntaxError"),
        ("b-absent", "ep-absent", "cannot be imported"),
        ("b-raises", "ep-raises", "out of order"),
        ("b-exits", "ep-exits", "SystemExit"),
        ("b-none", "ep-none", "must be a dictionary or a ServerProcess"),
        ("b-list", "ep-list", "must be a dictionary or a ServerProcess"),
        ("b-data", "ep-data", "must be a function"),
        ("b-option", "ep-option", "option 'timeout' must be a number of seconds above 0"),
        ("b-which", "ep-which", "install it"),
        ("b-argument", "ep-argument", "failed when it was called"),
    ],
)
def test_broken_one(jupyter: Jupyter, name: str, package: str, reason: str) -> None:
    """Skipped with exactly one warning, which names the server, the distribution and the reason."""
    said = lines_of(jupyter.log(), re.escape(f"'{name}'"))
    assert len(said) == 1, said
    assert said[0].startswith("[W "), said
    assert f"{package} 1.0" in said[0]
    assert reason in said[0]
    assert "this server is skipped" in said[0]
    assert name not in servers_info(jupyter)
    # Nothing else is said about that package, a traceback least of all.
    assert lines_of(jupyter.log(), re.escape(package) + " 1.0") == said


@pytest.mark.behaviour("P11")
def test_no_traceback(jupyter: Jupyter) -> None:
    assert words(jupyter, "good")
    assert "Traceback" not in jupyter.log()


# ---- installing


def run(command: list[str], **options: Any) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, **options
    )
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, text
    return text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: building leaves files behind. Nothing is downloaded where hatchling is installed."""
    directory = tmp_path_factory.mktemp("wheel")
    copy = directory / "source"
    copy.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("jupyter_server_proxy", "etc", "labextension"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    offline = ["--no-index", "--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", *offline, f"--wheel-dir={directory}", str(copy)])
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; all else it takes from the one that runs the tests."""
    directory = tmp_path_factory.mktemp("venv") / "env"
    run([sys.executable, "-m", "venv", "--without-pip", str(directory)])
    python = str(directory / "bin" / "python")
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index"]
    run([*pip, str(wheel)])
    # A plain path, not addsitedir: the .pth files of the other environment, editable installs above all, do not count.
    import jupyter_server

    others = Path(jupyter_server.__file__).parents[1]
    (Path(site) / "others.pth").write_text(f"{others}\n")
    return directory


def clean_environment(home: Path) -> dict[str, str]:
    """Without anything that points Jupyter or Python elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}


def test_installing_enables_the_extension(environment: Path, tmp_path: Path) -> None:
    """Installing is all there is to do: no command that enables it, and no configuration."""
    python = str(environment / "bin" / "python")
    variables = clean_environment(tmp_path)
    where = run([python, "-c", "import jupyter_server_proxy as p; print(p.__file__)"], cwd=tmp_path, env=variables)
    assert where.startswith(str(environment)), where
    command = [python, "-m", "jupyter_server", "extension", "list"]
    listed = run(command, cwd=tmp_path, env=variables)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    own = [line.strip() for line in plain.splitlines() if "jupyter_server_proxy" in line]
    assert any(re.fullmatch(r"jupyter_server_proxy\s+enabled", line) for line in own), plain
    assert any(re.search(r"jupyter_server_proxy\s+\S+\s+OK", line) for line in own), plain
    # By the files of the wheel, not by those of some other installation.
    sources = re.split(r"(?m)^Config dir: ", plain)[1:]
    assert [s for s in sources if s.startswith(str(environment)) and "jupyter_server_proxy" in s], plain


def test_installed_files(environment: Path) -> None:
    """The files that enable it are where Jupyter looks for them, and the package is marked as typed."""
    config = environment / "etc" / "jupyter" / "jupyter_server_config.d" / "jupyter-server-proxy.json"
    assert config.is_file()
    (package,) = environment.glob("lib/python*/site-packages/jupyter_server_proxy")
    assert (package / "py.typed").is_file()
    assert not list(package.parent.glob("tests"))


def test_installing_enables_the_front_ends(environment: Path, tmp_path: Path) -> None:
    """JupyterLab and Notebook 7 take the prebuilt extension, the classic Notebook its nbextension, with no command."""
    python = str(environment / "bin" / "python")
    command = [python, "-m", "jupyterlab.labextensions", "list"]
    listed = run(command, cwd=tmp_path, env=clean_environment(tmp_path))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    assert re.search(
        r"@jupyterhub/jupyter-server-proxy v[\d.]+\S* enabled OK \(python, jupyter-server-proxy\)", plain
    ), plain
    assert str(environment) in plain
    shared = environment / "share" / "jupyter"
    assert (shared / "labextensions/@jupyterhub/jupyter-server-proxy/static").is_dir()
    assert (shared / "nbextensions/jupyter_server_proxy/tree.js").is_file()
    assert (environment / "etc/jupyter/nbconfig/tree.d/jupyter-server-proxy.json").is_file()
