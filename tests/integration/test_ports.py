"""The listening ports of a user's processes: a kernel's, a terminal's, a managed server's, and those of others."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Jupyter, background, free_port, listens, process_gone, wait_until
from websockets.sync.client import connect

from jupyter_server_proxy.supervise.ports import ListeningPort, listening_ports

NOTEBOOK = "work/analysis.ipynb"

#: Listens at an address and a port, and then waits; what comes in between is the third argument.
LISTENER = """
import os, socket, sys, time
host, port, between = sys.argv[1], int(sys.argv[2]), sys.argv[3]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
if between == "nobody":
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
listener = socket.create_server((host, port), family=family, dualstack_ipv6=False)
if between == "workers":
    os.fork()
    os.fork()
time.sleep(600)
"""


def listener(port: int, host: str = "127.0.0.1", between: str = "") -> list[str]:
    return [sys.executable, "-c", LISTENER, host, str(port), between]


def http_server(port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


# ---- with Jupyter


@pytest.fixture(scope="module")
def jupyter(start_jupyter) -> Jupyter:
    return start_jupyter(
        'c.ServerProxy.servers = {"echo": {"command": [*ECHO, "--api-key=abcdefgh"]}}',
        base_url="/base/",
        environment={"SHELL": shutil.which("bash") or "/bin/sh"},
    )


@pytest.fixture(scope="module")
def kernel(jupyter: Jupyter) -> str:
    """The id of a kernel that a notebook has."""
    session = {"path": NOTEBOOK, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    answer = jupyter.request("POST", "api/sessions", body=json.dumps(session).encode())
    assert answer.status == 201, answer.text
    kernel_id: str = answer.json()["kernel"]["id"]
    return kernel_id


def run_in_kernel(jupyter: Jupyter, kernel: str, code: str) -> None:
    """Execute code, and wait until it is done."""
    header = {"msg_id": uuid.uuid4().hex, "session": uuid.uuid4().hex, "username": "", "version": "5.3"}
    header["msg_type"] = "execute_request"
    request = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": {"code": code}}
    with connect(jupyter.websocket_url(f"api/kernels/{kernel}/channels"), max_size=None) as client:
        client.send(json.dumps(request))
        while True:
            message = json.loads(client.recv(timeout=60))
            if message["header"]["msg_type"] == "execute_reply":
                assert message["content"]["status"] == "ok", message["content"]
                return


def told(jupyter: Jupyter) -> list[dict[str, Any]]:
    answer = jupyter.get("server-proxy/api/ports")
    assert answer.status == 200, answer.text
    ports: list[dict[str, Any]] = answer.json()["ports"]
    return ports


def entry_of(jupyter: Jupyter, port: int) -> dict[str, Any]:
    """What is told of a port, once somebody listens there."""
    wait_until(lambda: listens(port), f"somebody to listen at {port}")
    entries = [entry for entry in told(jupyter) if entry["port"] == port]
    assert len(entries) == 1, entries
    return entries[0]


def kernel_owner(kernel: str) -> dict[str, Any]:
    return {"kind": "kernel", "id": kernel, "name": "python3", "notebook": NOTEBOOK}


def test_a_process_that_a_notebook_started(jupyter: Jupyter, kernel: str) -> None:
    port = free_port()
    run_in_kernel(jupyter, kernel, f"import subprocess\nsubprocess.Popen({http_server(port)!r})")
    entry = entry_of(jupyter, port)
    assert entry["owner"] == kernel_owner(kernel)
    assert entry["addresses"] == ["127.0.0.1"]
    assert entry["url"] == f"/base/proxy/{port}/"
    assert entry["command"].endswith(f"-m http.server --bind 127.0.0.1 {port}")
    assert entry["process"] == psutil.Process(entry["pid"]).name()
    assert entry["started"].endswith("Z")
    assert jupyter.get(f"proxy/{port}/").status == 200


def test_the_kernel_itself(jupyter: Jupyter, kernel: str) -> None:
    port = free_port()
    run_in_kernel(jupyter, kernel, f"import socket\nkept = socket.create_server(('127.0.0.1', {port}))")
    entry = entry_of(jupyter, port)
    assert entry["owner"] == kernel_owner(kernel)
    assert "ipykernel" in entry["command"]


def test_a_process_whose_parent_in_the_notebook_has_ended(jupyter: Jupyter, kernel: str) -> None:
    port = free_port()
    code = f"""
import os, subprocess
if os.fork() == 0:
    subprocess.Popen({http_server(port)!r})
    os._exit(0)
os.wait()
"""
    run_in_kernel(jupyter, kernel, code)
    entry = entry_of(jupyter, port)
    process = psutil.Process(entry["pid"])
    try:
        assert process.ppid() not in {descendant.pid for descendant in jupyter.descendants()}
        assert entry["owner"] == kernel_owner(kernel)
    finally:
        process.kill()


def test_ports_of_the_kernels_messages_are_not_told(jupyter: Jupyter, kernel: str) -> None:
    connection = json.loads((jupyter.directory / "runtime" / f"kernel-{kernel}.json").read_text())
    channels = {connection[f"{name}_port"] for name in ("shell", "iopub", "stdin", "control", "hb")}
    wait_until(lambda: channels <= {entry.port for entry in listening_ports()}, "the kernel to listen")
    assert not channels & {entry["port"] for entry in told(jupyter)}


def test_a_process_of_a_terminal(jupyter: Jupyter) -> None:
    port = free_port()
    name = jupyter.request("POST", "api/terminals", body=b"{}").json()["name"]
    with connect(jupyter.websocket_url(f"terminals/websocket/{name}")) as client:
        client.send(json.dumps(["stdin", f"{sys.executable} -m http.server --bind 127.0.0.1 {port} &\r"]))
        entry = entry_of(jupyter, port)
    assert entry["owner"] == {"kind": "terminal", "name": name}
    assert jupyter.request("DELETE", f"api/terminals/{name}").status == 204
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(entry["pid"]).kill()
    wait_until(lambda: process_gone(entry["pid"]), "the process of the terminal to end")


def test_a_managed_server(jupyter: Jupyter) -> None:
    pid = jupyter.get("echo/").json()["pid"]
    (entry,) = [entry for entry in told(jupyter) if entry["pid"] == pid]
    assert entry["owner"] == {"kind": "server", "name": "echo"}
    assert "abcdefgh" not in entry["command"]
    assert "--api-key=***" in entry["command"]


def test_jupyter_itself(jupyter: Jupyter) -> None:
    entry = entry_of(jupyter, jupyter.port)
    assert entry["owner"] == {"kind": "jupyter"}
    assert entry["pid"] == jupyter.process.pid


def test_a_process_that_descends_from_nothing_of_jupyters(jupyter: Jupyter, echo_port: int) -> None:
    assert entry_of(jupyter, echo_port)["owner"] is None


# ---- without Jupyter


def found(port: int) -> list[ListeningPort]:
    return [entry for entry in listening_ports() if entry.port == port]


@pytest.fixture
def port() -> int:
    return free_port()


def test_the_topmost_of_workers_that_share_a_socket(port: int) -> None:
    with background(listener(port, between="workers"), lambda: listens(port)) as process:
        workers = wait_until(
            lambda: len(each := psutil.Process(process.pid).children(recursive=True)) == 3 and each, "three workers"
        )
        try:
            (entry,) = found(port)
            assert entry.pid == process.pid
            assert entry.ancestors[:2] == (process.pid, os.getpid())
        finally:
            for worker in workers:
                worker.kill()


def test_workers_that_have_lost_their_parent_are_one(port: int) -> None:
    with background(listener(port, between="workers"), lambda: listens(port)) as process:
        workers = wait_until(
            lambda: len(each := psutil.Process(process.pid).children(recursive=True)) == 3 and each, "three workers"
        )
        try:
            process.kill()
            process.wait()
            (entry,) = found(port)
            assert entry.pid in {worker.pid for worker in workers}
        finally:
            for worker in workers:
                worker.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of others")
def test_processes_of_other_users_are_not_told(port: int) -> None:
    ours = free_port()
    with (
        background(listener(port, between="nobody"), lambda: listens(port)) as process,
        background(listener(ours), lambda: listens(ours)),
    ):
        assert psutil.Process(process.pid).uids().effective != os.geteuid()
        assert found(port) == []
        assert len(found(ours)) == 1


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", True), ("0.0.0.0", True), ("::1", True), ("::", True), ("127.0.0.2", False)],
)
def test_addresses_that_loopback_reaches(port: int, host: str, reached: bool) -> None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            assert [entry.addresses for entry in found(port)] == ([(host,)] if reached else [])
    except OSError:
        pytest.skip(f"this machine has no {host}")


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where there is no /proc."""
    monkeypatch.setattr("jupyter_server_proxy.supervise.ports._PROC", tmp_path)


@pytest.mark.usefixtures("without_proc")
def test_psutil_tells_the_same(port: int) -> None:
    with background(listener(port, between="workers"), lambda: listens(port)) as process:
        workers = wait_until(
            lambda: len(each := psutil.Process(process.pid).children(recursive=True)) == 3 and each, "three workers"
        )
        try:
            (entry,) = found(port)
            assert (entry.pid, entry.addresses) == (process.pid, ("127.0.0.1",))
        finally:
            for worker in workers:
                worker.kill()
