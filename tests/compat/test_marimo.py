"""marimo's extension: an absolute URL, header fields that win, and a look into the state of the process."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable

import pytest
from harness import Jupyter, wait_until
from websockets.sync.client import connect

pytestmark = pytest.mark.package("marimo-jupyter-extension", "marimo")

CONFIG = """
c.MarimoProxyConfig.sandbox = None  # sandboxes are uv's, which would install packages
c.MarimoProxyConfig.skip_update_check = True
"""


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    jupyter: Jupyter = start_jupyter(CONFIG)
    stub = jupyter.request("POST", "marimo-tools/create-stub", body=b'{"path": "notebook.py"}')
    assert stub.json()["success"], stub.text
    return jupyter


def pid_of(jupyter: Jupyter) -> int | None:
    servers = jupyter.get("server-proxy/api/servers").json()["servers"]
    return next(one for one in servers if one["name"] == "marimo")["pid"]


def test_marimo_is_listed_but_not_in_the_launcher(jupyter: Jupyter) -> None:
    """Entry point in servers-info, without launcher entry"""
    listed = {one["name"]: one for one in jupyter.get("server-proxy/servers-info").json()["server_processes"]}
    assert listed["marimo"]["launcher_entry"]["enabled"] is False


def test_pages_and_assets(jupyter: Jupyter) -> None:
    """Editor's page, its scripts, REST calls; logged in by Jupyter alone (request_headers_override)"""
    page = jupyter.get("marimo/?file=notebook.py")
    assert (page.status, "<marimo-" in page.text or "marimo" in page.text) == (200, True)
    script = re.search(r'src="\./(assets/[^"]+\.js)"', page.text)
    assert script, page.text[:2000]
    assert jupyter.get(f"marimo/{script[1]}").status == 200
    assert jupyter.get("marimo/api/version").status == 200
    assert jupyter.get("marimo/api/status").json()["status"] == "healthy"
    assert jupyter.get("marimo/", login=False).status in (302, 403)


def test_the_websocket_of_a_notebook(jupyter: Jupyter) -> None:
    """Editor's websocket: a kernel is started and runs a cell"""
    page = jupyter.get("marimo/?file=notebook.py").text
    token = re.search(r'"serverToken":\s*"([^"]+)"', page)
    session = "s_compat"
    with connect(jupyter.websocket_url(f"marimo/ws?session_id={session}&file=notebook.py"), proxy=None,
                 max_size=None) as channel:  # fmt: skip
        operations = [json.loads(channel.recv(timeout=60))["op"]]
        assert operations == ["kernel-ready"]
        headers = {"Marimo-Session-Id": session, "Content-Type": "application/json",
                   "Marimo-Server-Token": token[1] if token else ""}  # fmt: skip
        made = jupyter.request("POST", "marimo/api/kernel/instantiate", headers=headers,
                               body=b'{"objectIds": [], "values": [], "autoRun": false}')  # fmt: skip
        assert made.status == 200, made.text
        run = jupyter.request("POST", "marimo/api/kernel/run", headers=headers,
                              body=b'{"cellIds": ["Hbol"], "codes": ["print(6 * 7)"]}')  # fmt: skip
        assert run.status == 200, run.text
        printed = ""
        while '"42\\n"' not in printed:
            printed = str(channel.recv(timeout=60))


def test_restarted_by_its_extension(jupyter: Jupyter) -> None:
    """POST /marimo-tools/restart finds the state, ends the process; the next request starts it anew"""
    jupyter.get("marimo/")
    before = pid_of(jupyter)
    assert jupyter.get("marimo-tools/health").json() == {"process_alive": True}
    assert jupyter.request("POST", "marimo-tools/restart", body=b"").json()["success"]
    assert jupyter.get("marimo-tools/health").json() == {"process_alive": False}
    assert jupyter.get("marimo/").status == 200
    assert pid_of(jupyter) not in (before, None)


def test_a_marimo_that_dies_is_noticed_by_its_extension(jupyter: Jupyter) -> None:
    """Killed process is seen by the extension's watcher, and started anew by the next request"""
    jupyter.get("marimo/")
    pid = pid_of(jupyter)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "evicting from jupyter-server-proxy state" in jupyter.log(), "the watcher to notice")
    assert wait_until(lambda: (page := jupyter.get("marimo/")).status == 200 and page, "marimo to be back")
    assert pid_of(jupyter) != pid
    assert "watcher iteration failed" not in jupyter.log()
