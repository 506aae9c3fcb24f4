"""How long `jupyter standaloneproxy` takes from its start until it is of use, next to 4.6's."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ..rig import Rig, free_port
from ..table import Effort, Table

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
    ways = {"new": rig.new_python, "4.6": rig.old_python}
    page = Table(
        "standalone-page", "milliseconds: from the command to the first page of an application that needs 500 ms", False
    )
    answer = Table(
        "standalone-answer", "milliseconds: from the command to the answer for which JupyterHub waits", False
    )
    for _ in range(1 if effort.quick else max(effort.rounds, 5)):
        for name, python in ways.items():
            page.add(name, 1000 * seconds_until(rig, python, ["--no-authentication"], {}, 200))
            answer.add(name, 1000 * seconds_until(rig, python, [], HUB, 499))
    return [page, answer]


def seconds_until(rig: Rig, python: str, arguments: list[str], environment: Mapping[str, str], most: int) -> float:
    """From the start of the command until an answer whose status is at most ``most``.

    Raises:
        TimeoutError: there was none in 60 seconds.
    """
    port = free_port()
    with TemporaryDirectory() as home:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(Path(python).with_name("jupyter-standaloneproxy")), f"--port={port}", "--timeout=30", *arguments,
             "--", rig.origin_program, "{port}", "--delay", "0.5"],
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
