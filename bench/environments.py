"""What is compared: where it comes from, and how it is installed, each in a place of its own below ``.bench``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BENCH = ROOT / ".bench"
#: JupyterHub is what 4.6's standalone proxy asks for.
OLD = ["jupyter-server-proxy==4.6.0", "jupyterhub>=4"]
CHP = "configurable-http-proxy@5"


def new_python(given: str | None) -> str:
    """The Python of an environment with this checkout and, as that of 4.6, nothing besides; made at the first run.

    Args:
        given: an environment's Python that has it already.
    """
    python = given or made("new", ["--editable", f"{ROOT}[standalone]"], "this checkout")
    # As pip does with 4.6, but not with a checkout: where Python is told not to write bytecode, or may not, each start
    # would compile all of it anew.
    program = "import compileall, jupyter_server_proxy as it; compileall.compile_dir(it.__path__[0], quiet=1)"
    subprocess.run([python, "-c", program], check=True, cwd=ROOT / "bench")  # where that finds the installed one
    return python


def old_python(given: str | None) -> str:
    """The Python of an environment with version 4.6; made at the first run.

    Args:
        given: an environment's Python that has it already.
    """
    return given or made("old", OLD, " and ".join(OLD))


def made(name: str, requirements: list[str], what: str) -> str:
    """The Python of an environment below .bench, which is made anew when what it holds has changed."""
    python, installed = BENCH / name / "bin" / "python", BENCH / name / ".installed"
    wanted = str([*requirements, (ROOT / "pyproject.toml").read_text() if name == "new" else ""])
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {what} into {python.parent.parent.relative_to(ROOT)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", BENCH / name], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(command, check=True)
        installed.write_text(wanted)
    return str(python)


def chp() -> str | None:
    """The program of configurable-http-proxy; None where there is no npm."""
    program = BENCH / "node" / "node_modules" / ".bin" / "configurable-http-proxy"
    if not program.exists():
        if shutil.which("npm") is None:
            print("skipped: configurable-http-proxy (there is no npm)")
            return None
        print(f"installing {CHP} ...", flush=True)
        (BENCH / "node").mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent", CHP]
        if subprocess.run(command, cwd=BENCH / "node", check=False).returncode:
            print("skipped: configurable-http-proxy (npm cannot install it)")
            return None
    return str(program)


def program(name: str, packages: str) -> str | None:
    """A program of Debian; installed where that is possible without asking.

    Args:
        name: of the program.
        packages: that bring it, with spaces between.
    """
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {packages} ...", flush=True)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages.split()]
        for command in (["apt-get", "update"], install):  # a machine may know of no packages yet
            subprocess.run(
                command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        print(f"skipped: {name} (install from Debian: {packages})")
    return path


def needed(name: str, packages: str) -> str:
    """A program of Debian without which nothing can be measured; see ``program``.

    Raises:
        SystemExit: it is not there, and cannot be installed.
    """
    path = program(name, packages)
    if path is None:
        raise SystemExit(f"The benchmarks need {name}: install from Debian: {packages}.")
    return path
