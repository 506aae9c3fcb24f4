"""What `make demo` shows: its configuration file, run by a plain Jupyter server in the place of JupyterLab.

The tests' environment need not have JupyterLab, which adds nothing to what is tested here.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Jupyter, lines_of, wait_until
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module")
def jupyter(start_jupyter, tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    # The harness's command line names the extensions to load, which puts the demo's own line out of force.
    more = tmp_path_factory.mktemp("config")
    (more / "jupyter_server_config.d").mkdir()
    extensions = {"ServerApp": {"jpserver_extensions": {"demo_welcome": True}}}
    (more / "jupyter_server_config.d" / "demo.json").write_text(json.dumps(extensions))
    return start_jupyter(
        arguments=(f"--config={DEMO / 'jupyter_server_config.py'}",),
        base_url="/user/me/",
        environment={"JUPYTER_CONFIG_PATH": str(more)},
    )


async def open_websocket(jupyter: Jupyter, path: str) -> WebSocketClientConnection:
    headers = {"Authorization": f"token {jupyter.token}", "Origin": f"http://127.0.0.1:{jupyter.port}"}
    return await websocket_connect(HTTPRequest(jupyter.websocket_url(path, login=False), headers=headers))


async def read_until(connection: WebSocketClientConnection, **expected: Any) -> dict[str, Any]:
    """The next message of the chat that has these values."""
    while (message := await connection.read_message()) is not None:
        content = dict(json.loads(message))
        if expected.items() <= content.items():
            return content
    raise AssertionError(f"the connection ended before {expected} came")


def test_address_is_printed(jupyter: Jupyter) -> None:
    wait_until(lambda: "The demo begins at" in jupyter.log(), "the address of the demo")
    [line] = lines_of(jupyter.log(), "The demo begins at")
    found = re.search(r"http://[^/]+:(\d+)(/\S+)$", line)
    assert found
    assert int(found[1]) == jupyter.port
    assert found[2] == jupyter.path("demo-files/")


def test_files_and_every_link(jupyter: Jupyter) -> None:
    page = jupyter.get("demo-files/")
    assert page.status == 200
    assert jupyter.get("demo-files/style.css").get("Content-Type") == "text/css"
    icons = re.findall(r'src="\.\./([^"]+)"', page.text)
    assert len(icons) == 6
    for icon in icons:
        assert jupyter.get(icon).get("Content-Type") == "image/svg+xml", icon
    links = set(re.findall(r'href="\.\./(demo-[^"]+)"', page.text))
    servers = {entry["name"] + "/" for entry in jupyter.get("server-proxy/servers-info").json()["server_processes"]}
    assert links | {"demo-files/", "demo-raw/"} == servers


def test_launcher_entries(jupyter: Jupyter) -> None:
    entries = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    assert all(entry["launcher_entry"]["title"].startswith("Demo: ") for entry in entries)
    for entry in entries:
        if entry["name"] not in ("demo-broken", "demo-slow"):
            assert jupyter.get(entry["launcher_entry"]["path_info"]).status == 200, entry


@pytest.mark.behaviour("W1")
async def test_chat(jupyter: Jupyter) -> None:
    assert "<title>Chat</title>" in jupyter.get("demo-chat/").text
    one = await open_websocket(jupyter, "demo-chat/ws")
    other = await open_websocket(jupyter, "demo-chat/ws")
    assert (await read_until(one, kind="clock", members=2))["time"]
    await one.write_message("hello")
    assert await read_until(other, kind="said") == {"kind": "said", "text": "hello"}
    await other.write_message("hello to you")
    await read_until(one, kind="said", text="hello to you")
    other.close()
    await read_until(one, kind="clock", members=1)
    one.close()


def test_slow(jupyter: Jupyter) -> None:
    began = time.monotonic()
    assert "That took a while" in jupyter.get("demo-slow/").text
    assert time.monotonic() - began > 5, "it is meant to take eight seconds"
    assert "Loading the model" in jupyter.log()


@pytest.mark.behaviour("P9")
def test_broken(jupyter: Jupyter) -> None:
    answer = jupyter.get("demo-broken/", headers={"Accept": "text/html"})
    assert answer.status == 503
    assert "exited with status 1 while it was starting" in answer.text
    assert "hint: set [database] url" in answer.text


@pytest.mark.behaviour("H6", "C2")
def test_inspector(jupyter: Jupyter) -> None:
    page = jupyter.get("demo-inspector/some/where?x=%2F")
    assert "GET /some/where?x=%2F HTTP/1.1" in page.text
    assert jupyter.token not in page.text
    assert f'<base href="{jupyter.path("demo-inspector/")}">' in page.text
    upload = jupyter.request("PUT", "demo-inspector/upload", body=bytes(2_000_000))
    assert upload.json()["bytes"] == 2_000_000
    connection = jupyter.connect()
    try:
        headers = {"Authorization": f"token {jupyter.token}"}
        connection.request("GET", jupyter.path("demo-inspector/count"), headers=headers)
        response = connection.getresponse()
        began = time.monotonic()
        assert response.readline() == b"1\n"
        assert response.read().split() == [str(number).encode() for number in range(2, 11)]
        assert time.monotonic() - began > 2, "the first line came with the others"
    finally:
        connection.close()


async def test_raw(jupyter: Jupyter) -> None:
    assert "<title>Raw socket</title>" in jupyter.get("demo-files/raw.html").text
    connection = await open_websocket(jupyter, "demo-raw/")
    text = b""
    for line, answer in (("", b"calculator ready\n"), ("6 * 7\n", b"42\n"), ("1 / 0\n", b"float division by zero\n")):
        if line:
            await connection.write_message(line)
        text += answer
        received = b""
        while len(received) < len(answer):
            piece = await connection.read_message()
            assert isinstance(piece, bytes)
            received += piece
        assert received == answer
    connection.close()
