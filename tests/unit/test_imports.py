"""What imports what. `make imports` checks the layers; here stands what import-linter cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_server_proxy

PACKAGE = Path(jupyter_server_proxy.__file__).parent

#: Slow to import, or not even installed: nothing of this is needed before it is used.
HEAVY = {"aiohttp", "hypothesis", "jupyterhub", "numpy", "pytest", "requests", "simpervisor", "uvloop", "websockets"}


def imported_modules(path: Path) -> set[str]:
    """The absolute names that a file imports, in whatever function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def modules_after(statement: str) -> set[str]:
    """The top-level names of all modules that a fresh interpreter has after ``statement``."""
    program = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def files_of(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (PACKAGE / part).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", files_of("upstream", "relay", "supervise"), ids=name_of)
def test_beneath_web_tornado_means_its_streams(path: Path) -> None:
    tornado = {name for name in imported_modules(path) if name.partition(".")[0] == "tornado"}
    # The C function that tornado unmasks frames with is no part of its framework.
    tornado.discard("tornado.speedups.websocket_mask")
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


def test_the_extension_imports_nothing_heavy() -> None:
    # jupyter_server brings modules of its own, which a running Jupyter has anyway: only what we add is looked at.
    base = modules_after("import jupyter_server.serverapp, jupyter_server.extension.application")
    added = modules_after("import jupyter_server.serverapp, jupyter_server_proxy.extension") - base
    assert "jupyter_server_proxy" in added
    assert added.isdisjoint(HEAVY)
