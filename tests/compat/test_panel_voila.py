"""Panel, which lives under a prefix, and Voila, which jupyter-app-launcher starts itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import bokeh_client
import pytest
from harness import Jupyter
from websockets.sync.client import connect

PANEL_APP = """
import panel as pn
slider = pn.widgets.IntSlider(name="How many", end=10)
pn.Column("# Counting", slider).servable()
"""

NOTEBOOK = {
    "cells": [{"cell_type": "code", "id": "one", "execution_count": None, "metadata": {}, "outputs": [],
               "source": "print('the answer is', 6 * 7)"}],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip

LAUNCHER = """
- title: Answers
  description: a notebook as an app
  source: {notebook}
  type: notebook-voila
  args: {{"Voila.ip": "127.0.0.1"}}
  catalog: Apps
"""


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    apps = tmp_path_factory.mktemp("apps")
    (apps / "answers.ipynb").write_text(json.dumps(NOTEBOOK))
    (apps / "jp_app_launcher.yaml").write_text(LAUNCHER.format(notebook=apps / "answers.ipynb"))
    jupyter: Jupyter = start_jupyter(base_url="/base/", environment={"JUPYTER_APP_LAUNCHER_PATH": str(apps)})
    (jupyter.directory / "jupyter-panel-proxy.yml").write_text("apps: [counting.py]\n")
    (jupyter.directory / "counting.py").write_text(PANEL_APP)
    return jupyter


@pytest.mark.package("jupyter-panel-proxy", "panel")
def test_panel(jupyter: Jupyter) -> None:
    """App under its prefix (absolute_url): page, scripts, the session's websocket, the document"""
    page = jupyter.get("panel/counting")
    assert page.status == 200, page.text
    script = re.search(r'src="(/base/panel/static/[^"]+bokeh[^"]*\.js[^"]*)"', page.text) or re.search(
        r'src="(static/[^"]+\.js[^"]*)"', page.text
    )
    assert script, page.text[:3000]
    path = script[1].removeprefix("/base/") if script[1].startswith("/") else f"panel/{script[1]}"
    assert jupyter.get(path).status == 200
    document = bokeh_client.pull(jupyter.websocket_url("panel/counting/ws"), bokeh_client.token_of(page.text))
    assert "How many" in json.dumps(document)


def ask(jupyter: Jupyter, **request: str) -> object:
    answer = jupyter.request("POST", "jupyterlab-app-launcher", body=json.dumps(request).encode())
    assert answer.status == 200, answer.text
    return answer.json()


@pytest.mark.package("jupyter-app-launcher", "voila")
def test_voila_by_the_app_launcher(jupyter: Jupyter) -> None:
    """Voila started by the launcher under /proxy/absolute/<port>/: page of a notebook, its kernel's websocket"""
    launchers = ask(jupyter, method="init_launcher")
    assert isinstance(launchers, list)
    [app] = [one for one in launchers if one["title"] == "Answers"]
    base = ask(jupyter, method="request_resources", id=app["id"], instanceId="1", labBasePrefix="/base/")
    assert re.fullmatch(r"proxy/absolute/\d+/", str(base))
    try:
        page = jupyter.get(str(base))
        assert (page.status, "the answer is 42" in page.text) == (200, True)
        kernel = re.search(r'"kernelId":\s*"([^"]+)"', page.text)
        assert kernel, page.text[:3000]
        url = jupyter.websocket_url(f"{base}api/kernels/{kernel[1]}/channels")
        with connect(url, proxy=None, max_size=None) as channel:
            channel.send(json.dumps({
                "header": {"msg_id": "1", "msg_type": "kernel_info_request", "session": "s", "username": "",
                           "version": "5.3", "date": "2026-01-01T00:00:00Z"},
                "parent_header": {}, "metadata": {}, "content": {}, "buffers": [], "channel": "shell",
            }))  # fmt: skip
            kinds = set()
            while "kernel_info_reply" not in kinds:
                kinds.add(json.loads(channel.recv(timeout=30))["msg_type"])
        assert jupyter.get(str(base), login=False).status in (302, 403)
    finally:
        ask(jupyter, method="terminate_resources", id=app["id"], instanceId="1")
