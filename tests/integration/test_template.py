"""The template for packages: what comes of it is built, installed, tested by its own tests, and opened."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

copier = pytest.importorskip("copier")

ROOT = Path(__file__).parents[2]


def render(directory: Path, **answers: str) -> Path:
    """A package, from the template as it stands in this checkout."""
    source = directory / "source"
    shutil.copytree(ROOT / "template", source / "template")
    shutil.copy(ROOT / "copier.yml", source)
    target = directory / "package"
    copier.run_copy(str(source), str(target), data=answers, defaults=True, quiet=True)
    return target


def install(package: Path, site: Path) -> None:
    """As ``pip install`` does, without asking any index."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*words, "--target", str(site), str(package)], check=True, timeout=120)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return render(tmp_path, name="my-files", title="My “files”")


def assert_own_tests_pass(package: Path, site: Path) -> None:
    install(package, site)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package)],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_its_own_tests_pass(package: Path, tmp_path: Path) -> None:
    assert_own_tests_pass(package, tmp_path / "site")


def test_the_package_that_the_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "write-a-package.md").read_text(encoding="utf-8")
    files = re.findall(r"```(?:python|toml)\n# ([\w.]+)\n(.*?)```", page, re.DOTALL)
    assert {name for name, _ in files} == {"jupyter_hello_proxy.py", "pyproject.toml", "test_hello.py"}
    (package := tmp_path / "package").mkdir()
    for name, text in files:
        (package / name).write_text(text)
    assert_own_tests_pass(package, tmp_path / "site")


def test_its_server_is_in_jupyter(package: Path, tmp_path: Path, start_jupyter) -> None:
    install(package, tmp_path / "site")
    jupyter = start_jupyter("", base_url="/base/", environment={"PYTHONPATH": str(tmp_path / "site")})
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    (entry,) = [server["launcher_entry"] for server in servers if server["name"] == "my-files"]
    assert entry["title"] == "My “files”"
    assert jupyter.get(entry["icon_url"].removeprefix("/base/")).get("Content-Type") == "image/svg+xml"
    assert "Directory listing" in jupyter.get("my-files/").text
    assert "Traceback" not in jupyter.log()


@pytest.mark.parametrize("answers", [{"name": "My files"}, {"package": "My.Package"}, {"name": "proxy"}], ids=str)
def test_a_name_that_is_none_is_refused(tmp_path: Path, answers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"Lower-case|That is a URL"):
        render(tmp_path, **answers)


@pytest.mark.parametrize("title", ['My "files"', "Files\\Users", "'''\"\"\""])
def test_titles_are_text(tmp_path: Path, title: str) -> None:
    package = render(tmp_path, title=title)
    install(package, tmp_path / "site")
    code = "import jupyter_hello_proxy as p; print(p.setup()['launcher_entry']['title'], end='')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == title


@pytest.mark.parametrize(("command", "version"), [("app {port}", "4.1"), ("app {port} {prefix}", "4.90")])
def test_the_version_that_the_command_needs(tmp_path: Path, command: str, version: str) -> None:
    package = render(tmp_path, command=command)
    assert f'dependencies = ["jupyter-server-proxy>={version}"]' in (package / "pyproject.toml").read_text()
