"""How long `jupyter standaloneproxy` takes from its start until it is of use, next to 4.6's."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from . import environments
from .measures import Effort, Table
from .rig import ORIGIN, Rig, free_port

#: What JupyterHub gives to a server; there is no Hub at that address, and nobody is asked to log in.
HUB = {
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
    "JUPYTERHUB_BASE_URL": "/",
    "JUPYTERHUB_HOST": "",
    "JUPYTERHUB_USER": "ann",
    "JUPYTERHUB_SERVICE_PREFIX": "/",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ann/"]',
    "JUPYTERHUB_OAUTH_SCOPES": '["access:servers!server=ann/"]',
}


def standalone(rig: Rig, effort: Effort) -> list[Table]:
    """The first page of an application that needs 0.5 s; and the first answer for which JupyterHub waits."""
    old = environments.old_python(rig.old_python)
    subprocess.run([old, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "jupyterhub>=4"], check=True)
    ways = {"new": sys.executable, "4.6": old}
    page = Table("milliseconds: from the command to the first page of an application that needs 500 ms", "4.6", False)
    answer = Table("milliseconds: from the command to the answer for which JupyterHub waits", "4.6", False)
    for _ in range(max(effort.rounds, 5)):
        for name, python in ways.items():
            page.add(name, 1000 * seconds_until(python, ["--no-authentication"], {}, 200))
            answer.add(name, 1000 * seconds_until(python, [], HUB, 499))
    return [page, answer]


def seconds_until(python: str, arguments: list[str], environment: Mapping[str, str], most: int) -> float:
    """From the start of the command until an answer whose status is at most ``most``.

    Raises:
        TimeoutError: there was none in 60 seconds.
    """
    port = free_port()
    with TemporaryDirectory() as home:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(Path(python).with_name("jupyter-standaloneproxy")), f"--port={port}", "--timeout=30", *arguments,
             "--", sys.executable, ORIGIN, "{port}", "--delay", "0.5"],
            env={**os.environ, "HOME": home, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            while time.perf_counter() - began < 60:
                if status_of(port) <= most:
                    return time.perf_counter() - began
                time.sleep(0.005)
            raise TimeoutError("no answer in 60 seconds")
        finally:
            end(process)


def status_of(port: int) -> int:
    """Of an answer to a request; 599 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/1k")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 599
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started; 4.6 leaves it behind."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
