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
    return given or made("new", ["--editable", f"{ROOT}[standalone]"], "this checkout")


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


def program(name: str, package: str) -> str | None:
    """A program of Debian; installed where that is possible without asking."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {package} ...", flush=True)
        subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", package],
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        print(f"skipped: {name} (install the Debian package {package})")
    return path


def needed(name: str, package: str) -> str:
    """A program of Debian without which nothing can be measured.

    Raises:
        SystemExit: it is not there, and cannot be installed.
    """
    path = program(name, package)
    if path is None:
        raise SystemExit(f"The benchmarks need {name}: install the Debian package {package}.")
    return path
