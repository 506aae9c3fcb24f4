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


def old_python(given: str | None) -> str:
    """The Python of an environment with version 4.6; made at the first run.

    Args:
        given: an environment's Python that has it already.
    """
    if given:
        return given
    python, installed = BENCH / "old" / "bin" / "python", BENCH / "old" / ".installed"
    if not installed.exists() or installed.read_text() != str(OLD):
        print(f"installing {' and '.join(OLD)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", BENCH / "old"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *OLD], check=True)
        installed.write_text(str(OLD))
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
