"""Applications that nobody here wrote, as the recipes of docs/configuration.md run them, used as a browser uses them.

Requests name the host ``jupyter.example``, so that it shows which application insists on being asked for by the address
that it listens on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import APPS, Answer, Jupyter, listens, process_gone, wait_until

pytest.importorskip("streamlit", reason="needs the extra test-apps")
pytest.importorskip("panel", reason="needs the extra test-apps")
client = pytest.importorskip("websockets.sync.client", reason="comes with the extra test-apps")

pytestmark = [pytest.mark.apps, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).parents[2]
#: Programs such as "streamlit" are those of the environment that runs the tests.
PATH = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
#: Words by which the processes of the applications can be told from others.
PROGRAMS = {"streamlit": "streamlit_app.py", "panel": "panel_app.py", "files": "http.server"}


def example_of(document: str, heading: str) -> str:
    """The first Python example below a heading of a document that sets servers."""
    _, _, text = (REPOSITORY / document).read_text().partition(f"\n## {heading}\n")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return next(example for example in examples if "c.ServerProxy.servers" in example)


def start_recipes(start_jupyter) -> Jupyter:
    """A Jupyter server with the recipes, and the programs in its folder that they name."""
    config = example_of("docs/configuration.md", "Recipes") + "\nc.ServerApp.allow_remote_access = True\n"
    server = start_jupyter(config, base_url="/user/me/", environment=PATH)
    for program in ("streamlit_app.py", "panel_app.py"):
        shutil.copy(APPS / program, server.directory)
    return server


@pytest.fixture(scope="module")
def jupyter(start_jupyter) -> Jupyter:
    return start_recipes(start_jupyter)


def get(jupyter: Jupyter, path: str, **options: Any) -> Answer:
    return jupyter.get(path, timeout=120, **options)


def processes(jupyter: Jupyter, name: str) -> list[psutil.Process]:
    """The processes of one application."""
    found = []
    for process in jupyter.descendants():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and PROGRAMS[name] in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            pass
    return found


@contextmanager
def websocket(jupyter: Jupyter, path: str, subprotocols: list[str]) -> Iterator[Any]:
    """A websocket as a page of ``http://jupyter.example`` opens it."""
    origin = f"http://jupyter.example:{jupyter.port}"
    with (
        socket.create_connection(("127.0.0.1", jupyter.port), timeout=120) as sock,
        client.connect(
            origin.replace("http", "ws") + jupyter.path(path),
            sock=sock,
            origin=origin,
            subprotocols=subprotocols,
            additional_headers={"Authorization": f"token {jupyter.token}"},
            open_timeout=120,
            max_size=None,
        ) as connection,
    ):
        yield connection


# ---- Streamlit


def streamlit_button(connection: Any) -> tuple[str, list[str]]:
    """Read to the end of a run of the script.

    Returns:
        The id of its button (or ""), and the texts that it has written.
    """
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    button, texts = "", []
    while True:
        message = ForwardMsg.FromString(connection.recv(timeout=60))
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            if element.WhichOneof("type") == "button":
                button = element.button.id
            elif element.WhichOneof("type") == "markdown":
                texts.append(element.markdown.body)
        elif kind == "script_finished":
            return button, texts


def press(connection: Any, button: str = "") -> tuple[str, list[str]]:
    """Ask for a run of the script, with a button pressed unless it is "", and read what comes."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.query_string = ""
    if button:
        message.rerun_script.widget_states.widgets.add(id=button, trigger_value=True)
    connection.send(message.SerializeToString())
    return streamlit_button(connection)


def test_streamlit_page(jupyter: Jupyter) -> None:
    page = get(jupyter, "streamlit/")
    assert page.status == 200, page.text
    assert "<title>Streamlit</title>" in page.text
    scripts = re.findall(r'src="\./(static/[^"]+\.js)"', page.text)
    assert scripts
    script = get(jupyter, f"streamlit/{scripts[0]}")
    assert script.status == 200
    assert "javascript" in (script.get("Content-Type") or "")
    assert len(script.body) == int(script.get("Content-Length") or len(script.body)) > 1000
    assert get(jupyter, "streamlit/_stcore/health").text == "ok"


@pytest.mark.behaviour("W1", "W2")
def test_streamlit_conversation(jupyter: Jupyter) -> None:
    with websocket(jupyter, "streamlit/_stcore/stream", ["streamlit"]) as connection:
        assert connection.subprotocol == "streamlit"
        button, texts = press(connection)
        assert "Number of clicks: 0" in texts
        assert button
        assert "Number of clicks: 1" in press(connection, button)[1]
        assert "Number of clicks: 2" in press(connection, button)[1]


# ---- Panel


class Bokeh:
    """Bokeh's protocol: a message is a header, metadata and content, each a frame of JSON, then frames of buffers."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def receive(self, kind: str) -> dict[str, Any]:
        """The content of the next message of a kind; others are skipped."""
        while True:
            header = json.loads(self.connection.recv(timeout=60))
            _metadata, content = (json.loads(self.connection.recv(timeout=60)) for _ in range(2))
            for _ in range(2 * header.get("num_buffers", 0)):
                self.connection.recv(timeout=60)
            assert header["msgtype"] != "ERROR", content
            if header["msgtype"] == kind:
                return dict(content)

    def send(self, kind: str, content: dict[str, Any]) -> None:
        for part in ({"msgid": f"test-{kind}", "msgtype": kind}, {}, content):
            self.connection.send(json.dumps(part))


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a tree of JSON."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from nodes(branch)


def panel_page(jupyter: Jupyter) -> tuple[str, Answer]:
    """The path of the page, to which the application redirects, and the page."""
    start = get(jupyter, "panel/")
    assert start.status == 302, start.text
    assert start.get("Location") in ("./panel_app", jupyter.path("panel/panel_app"))
    return "panel/panel_app", get(jupyter, "panel/panel_app")


def test_panel_page(jupyter: Jupyter) -> None:
    _, page = panel_page(jupyter)
    assert page.status == 200, page.text
    scripts = re.findall(r'src="(static/[^"]+)"', page.text)
    assert any("bokeh" in script for script in scripts)
    for script in scripts:
        answer = get(jupyter, f"panel/{script}")
        assert answer.status == 200, script
        assert len(answer.body) > 1000


@pytest.mark.behaviour("W1", "W2")
def test_panel_conversation(jupyter: Jupyter) -> None:
    path, page = panel_page(jupyter)
    found = re.search(r'"token":\s*"([^"]+)"', page.text)
    assert found
    with websocket(jupyter, f"{path}/ws", ["bokeh", found[1]]) as connection:
        assert connection.subprotocol == "bokeh"
        bokeh = Bokeh(connection)
        bokeh.receive("ACK")
        bokeh.send("PULL-DOC-REQ", {})
        document = bokeh.receive("PULL-DOC-REPLY")
        assert "area: 9" in json.dumps(document)
        slider = next(node for node in nodes(document) if node.get("name", "").endswith("Slider") and "id" in node)
        change = {"kind": "ModelChanged", "model": {"id": slider["id"]}, "attr": "value", "new": 7}
        bokeh.send("PATCH-DOC", {"events": [change]})
        for _ in range(20):
            if "area: 49" in json.dumps(bokeh.receive("PATCH-DOC")):
                break
        else:
            pytest.fail("the slider has changed nothing")


# ---- python -m http.server


def test_files(jupyter: Jupyter) -> None:
    (jupyter.directory / "ünï code.txt").write_text("content")
    assert "panel_app.py" in get(jupyter, "files/").text
    assert get(jupyter, "files/panel_app.py").body == (APPS / "panel_app.py").read_bytes()
    assert get(jupyter, "files/%C3%BCn%C3%AF%20code.txt").text == "content"
    assert get(jupyter, "files/missing").status == 404
    head = jupyter.request("HEAD", "files/panel_app.py")
    assert int(head.get("Content-Length") or 0) == (APPS / "panel_app.py").stat().st_size
    (jupyter.directory / "folder").mkdir()
    assert get(jupyter, "files/folder").get("Location") == jupyter.path("files/folder/")


# ---- their lives


@pytest.mark.behaviour("P4")
@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_and_started_again(jupyter: Jupyter, name: str) -> None:
    assert get(jupyter, f"{name}/").status in (200, 302)
    before = processes(jupyter, name)
    ports = {
        connection.laddr.port
        for process in before
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ports
    for process in before:
        process.kill()
    # A process with many threads is a zombie for a moment before its sockets are closed: whoever connects meanwhile
    # is in the middle of the crash, and gets 502.
    wait_until(lambda: all(process_gone(process.pid) for process in before), f"{name} to be gone")
    wait_until(lambda: not any(listens(port) for port in ports), f"{name} to have left its port")
    assert get(jupyter, f"{name}/").status in (200, 302)
    after = processes(jupyter, name)
    assert after
    assert {process.pid for process in after}.isdisjoint(process.pid for process in before)


def test_readme_example(start_jupyter) -> None:
    server = start_jupyter(example_of("README.md", "Configure"), environment=PATH)
    shutil.copy(APPS / "streamlit_app.py", server.directory / "dashboard.py")
    assert "dashboard.py" in get(server, "docs/").text
    assert "<title>Streamlit</title>" in get(server, "dashboard/").text


@pytest.mark.behaviour("P1")
def test_nothing_is_left_when_jupyter_ends(start_jupyter) -> None:
    server = start_recipes(start_jupyter)
    for name in PROGRAMS:
        assert get(server, f"{name}/").status in (200, 302)
    with websocket(server, "streamlit/_stcore/stream", ["streamlit"]) as connection:
        press(connection)
        left = server.descendants()
        assert all(processes(server, name) for name in PROGRAMS)
        server.signal(signal.SIGTERM)
        server.process.wait(60)
    wait_until(lambda: all(process_gone(process.pid) for process in left), f"these to end: {left}", timeout=15)
