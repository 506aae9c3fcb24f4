"""What it takes until something is of use: a server's first answer, the import, Jupyter's start."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from ..native import SOURCES
from ..rig import COLD, Jupyter, Rig, free_port
from ..table import Effort, Table
from ..way import Way, trying

#: At least so many rounds of what is short.
ROUNDS = 5


def cold(rig: Rig, effort: Effort) -> list[Table]:
    """The first request of a server that is not running; and the same server started and asked without a proxy."""
    tables = []
    number = min(max(effort.rounds, ROUNDS), COLD)
    for name, options, what in (("quick", [], "listens at once"), ("slow", ["--delay", "0.1"], "needs 100 ms")):
        table = Table(f"cold-{name}", f"milliseconds: first request of a server that {what}", False)
        added = Table(f"cold-{name}-added", f"milliseconds that the proxy adds to that: a server that {what}", False)
        for n in range(number):
            alone = started(rig, options) * 1000
            table.add("direct", alone)
            for way in (rig.new(), rig.old()):
                with trying(way, table, added):
                    spent = first_request(way, f"{name}{n}") * 1000
                    table.add(way.name, spent)
                    added.add(way.name, spent - alone)
        tables += [table, added]
    return tables


def first_request(way: Way, name: str) -> float:
    """Seconds."""
    connection = way.connect()
    connection.connect()
    began = time.perf_counter()
    way.at(way.prefix.partition("proxy/")[0] + name).get(connection, "/1k")
    spent = time.perf_counter() - began
    connection.close()
    return spent


def started(rig: Rig, options: list[str]) -> float:
    """Seconds from the start of a server until it has answered a request."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen([rig.origin_program, str(port), *options], stdin=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(b"GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if sock.recv(65536):
                        return time.perf_counter() - began
            except ConnectionError:
                time.sleep(0.0002)
    finally:
        process.kill()
        process.wait()


# ---- import

IMPORT = """
import sys, time, jupyter_server.serverapp, jupyter_server.extension.application
modules, began = set(sys.modules), time.perf_counter()
import {modules}
print((time.perf_counter() - began) * 1000, len(set(sys.modules) - modules))
"""


def imports(rig: Rig, effort: Effort) -> list[Table]:
    """What Jupyter's start pays for the extension, when Jupyter Server itself is imported already."""
    spent = Table("import", "milliseconds: import of the extension", False)
    loaded = Table("import-modules", "modules that the import loads", None)
    extensions = {
        "new": (rig.new_python, "jupyter_server_proxy.extension"),
        "4.6": (rig.old_python, ", ".join(f"jupyter_server_proxy.{name}" for name in ("config", "handlers", "api"))),
    }
    for _ in range(3 if effort.quick else max(effort.rounds, ROUNDS)):
        for name, (python, modules) in extensions.items():
            # Where no other jupyter_server_proxy can be found than the one that is installed.
            output = subprocess.run(
                [python, "-c", IMPORT.format(modules=modules)], check=True, capture_output=True, text=True, cwd=SOURCES
            )
            milliseconds, count = output.stdout.split()
            spent.add(name, float(milliseconds))
            loaded.add(name, float(count))
    return [spent, loaded]


# ---- Jupyter's start

#: Where installing the package enables it, this disables it again.
WITHOUT = '{"ServerApp": {"jpserver_extensions": {"jupyter_server_proxy": false}}}'


def startup(rig: Rig, effort: Effort) -> list[Table]:
    """From Jupyter's command until it answers, with the extension and without it."""
    spent = Table("startup", "milliseconds: start of Jupyter Server until it answers", False)
    added = Table("startup-added", "milliseconds that the extension adds to that", False)
    for n in range(1 if effort.quick else max(effort.rounds, ROUNDS)):
        for name, python in (("new", rig.new_python), ("4.6", rig.old_python)):
            times = {
                enabled: start_of(rig.directory / f"startup-{name}-{n}-{enabled}", python, enabled) * 1000
                for enabled in (False, True)
            }
            spent.add(f"{name}, with", times[True])
            spent.add(f"{name}, without", times[False])
            added.add(name, times[True] - times[False])
    return [spent, added]


def start_of(directory: Path, python: str, enabled: bool) -> float:
    """Seconds."""
    disabling = directory.with_name(f"{directory.name}-config") / "jupyter_server_config.d"
    disabling.mkdir(parents=True)
    (disabling / "jupyter-server-proxy.json").write_text(WITHOUT)
    environment = {} if enabled else {"JUPYTER_CONFIG_PATH": str(disabling.parent)}
    extensions = ("jupyter_server_proxy",) if enabled else ()
    began = time.perf_counter()
    jupyter = Jupyter(directory, python=python, log_level="ERROR", extensions=extensions, environment=environment)
    try:
        while time.perf_counter() - began < 60:
            try:
                if jupyter.get("api").status == 200:
                    spent = time.perf_counter() - began
                    found = jupyter.get("server-proxy/servers-info").status == 200
                    if found is not enabled:
                        raise RuntimeError(f"the extension is {'not ' * enabled}loaded")
                    return spent
            except ConnectionError:
                time.sleep(0.002)
        raise TimeoutError(jupyter.log())
    finally:
        jupyter.stop()
