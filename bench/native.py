"""The programs that make load and answer it: wrk, and those of native/, compiled at each run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).with_name("native")


def compiled(name: str, compiler: str, directory: Path) -> str:
    """The path of a program of native/."""
    program = directory / name
    if not program.exists():
        subprocess.run([compiler, "-O2", "-pthread", "-o", program, SOURCES / f"{name}.c"], check=True)
    return str(program)


class LoadFailed(Exception):
    """The load generator was not answered as it has to be; says how."""


class Load:
    """native/load.c, and wrk.

    Args:
        program: of load.c.
        wrk: its path.
    """

    def __init__(self, program: str, wrk: str) -> None:
        self._program = program
        self._wrk = wrk

    def command(self, case: str, port: int, path: str, headers: Mapping[str, str], **options: float) -> list[str]:
        """The command of a case; options by their letters."""
        return [self._program, case, str(port), path, *fields_of(headers),
                *(word for letter, value in options.items() for word in (f"-{letter}", f"{value:.15g}"))]  # fmt: skip

    def run(self, case: str, port: int, path: str, headers: Mapping[str, str], **options: float) -> dict[str, Any]:
        """What a case measured; see load.c."""
        done = subprocess.run(
            self.command(case, port, path, headers, **options), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LoadFailed(f"{case} {path}: {done.stderr.strip()}")
        return self.parse(done.stdout)

    def parse(self, output: str) -> dict[str, Any]:
        """What a case of load.c has printed."""
        return dict(json.loads(output))

    def gets(self, url: str, headers: Mapping[str, str], connections: int, seconds: float) -> tuple[float, float, int]:
        """GETs by wrk with one thread: per second, their median in milliseconds, and their number."""
        command = [self._wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency",
                   *fields_of(headers), url]  # fmt: skip
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in output or "Socket errors" in output:
            raise LoadFailed(f"{url}: {output}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
        median = re.search(r"50%\s+([\d.]+)(us|ms|s)", output)
        number = re.search(r"(\d+) requests in", output)
        if rate is None or median is None or number is None or number[1] == "0":
            raise LoadFailed(f"{url}: {output}")
        return float(rate[1]), float(median[1]) * {"us": 0.001, "ms": 1, "s": 1000}[median[2]], int(number[1])


def fields_of(headers: Mapping[str, str]) -> list[str]:
    """As options of wrk and load.c."""
    return [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
