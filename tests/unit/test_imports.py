"""What imports what. `make imports` checks the layers; here stands what import-linter cannot see."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_server_proxy

PACKAGE = Path(jupyter_server_proxy.__file__).parent

#: Slow to import, or not even installed: nothing of this is needed before it is used.
HEAVY = {"aiohttp", "hypothesis", "jupyterhub", "numpy", "pytest", "requests", "simpervisor", "uvloop", "websockets"}

#: Slow to load, and needed by some sessions only; functions import them, and each says why.
DEFERRED = {"difflib", "psutil", "statistics"}
DEFERRED_OF_OURS = {
    "cli", "compat", "standalone", "rules.masking", "supervise.ports", "supervise.resources", "web.ansi", "web.ports",
}  # fmt: skip
NOT_AT_START = DEFERRED | {f"{PACKAGE.name}.{name}" for name in DEFERRED_OF_OURS}


def imported_modules(path: Path) -> set[str]:
    """The absolute names that a file imports, in whatever function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def modules_after(statement: str, **environment: str) -> set[str]:
    """The names of all modules that a fresh interpreter has after ``statement``."""
    program = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    return set(done.stdout.split())


def files_of(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (PACKAGE / part).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", files_of("upstream", "relay", "supervise"), ids=name_of)
def test_beneath_web_tornado_means_its_streams(path: Path) -> None:
    tornado = {name for name in imported_modules(path) if name.partition(".")[0] == "tornado"}
    assert all(name.startswith("tornado.iostream.") for name in tornado), tornado


def test_the_check_of_tornado_can_fail() -> None:
    assert "tornado.web.Application" in imported_modules(PACKAGE / "web" / "runtime.py")


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = modules_after("import jupyter_server_proxy")
    assert loaded.isdisjoint(HEAVY | {"httptools", "jupyter_server", "psutil", "tornado", "traitlets"})


@pytest.mark.parametrize("module", ["rules.paths", "rules.headers", "rules.rewrite", "rules.template", "errors"])
def test_rules_need_the_standard_library_alone(module: str) -> None:
    loaded = modules_after(f"import jupyter_server_proxy.{module}")
    assert loaded.isdisjoint(HEAVY | {"asyncio", "httptools", "jupyter_server", "psutil", "tornado", "traitlets"})


@pytest.fixture(scope="module")
def added() -> set[str]:
    """The modules that the extension brings; those of jupyter_server a running Jupyter has anyway."""
    base = modules_after("import jupyter_server.serverapp, jupyter_server.extension.application")
    return modules_after("import jupyter_server.serverapp, jupyter_server_proxy.extension") - base


def test_the_extension_imports_nothing_heavy(added: set[str]) -> None:
    assert "jupyter_server_proxy" in added
    assert added.isdisjoint(HEAVY)


def test_what_few_sessions_need_is_not_imported_with_the_extension(added: set[str]) -> None:
    assert not added & NOT_AT_START


def test_nor_when_jupyter_starts_with_configured_servers(tmp_path: Path) -> None:
    directories = {f"JUPYTER_{kind}_DIR": str(tmp_path) for kind in ("CONFIG", "DATA", "RUNTIME")}

    def started(extension: bool) -> set[str]:
        arguments = [
            "--allow-root", "--log-level=ERROR", f"--ServerApp.root_dir={tmp_path}",
            f"--ServerApp.jpserver_extensions={({'jupyter_server_proxy': extension})!r}",
            f"--ServerProxy.servers={({'app': {'command': ['app', '{port}'], 'preset': 'streamlit'}})!r}",
        ]  # fmt: skip
        program = "from jupyter_server.serverapp import ServerApp\napp = ServerApp()\n"
        return modules_after(f"{program}app.initialize({arguments!r}, new_httpserver=False)", **directories)

    loaded = started(True) - started(False)
    assert f"{PACKAGE.name}.supervise.ownership" in loaded, "it can do without psutil for as long as nobody asks it"
    assert not loaded & NOT_AT_START


@pytest.mark.parametrize("name", sorted(DEFERRED_OF_OURS))
def test_what_is_deferred_exists(name: str) -> None:
    assert (PACKAGE / f"{name.replace('.', '/')}").with_suffix(".py").exists() or (PACKAGE / name).is_dir()
