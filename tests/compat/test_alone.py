"""Presets where the application has the whole host: ``jupyter standaloneproxy`` at "/", without a prefix."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from harness import free_port
from recipes import PATIENCE, PROGRAMS, files_of, parts_of
from test_cookbook import NOTEBOOK

pytestmark = pytest.mark.timeout(400)

#: By page of the cookbook: what its first page holds, what else answers, and the packages.
CASES = {
    "bokeh": ("bokeh", "", ["bokeh"]),
    "dash": ("_dash-config", "_dash-layout", ["dash"]),
    "fastapi": ("'/openapi.json'", "square/7", ["uvicorn", "fastapi"]),
    "flask": ("/notes/1", "notes/1", ["gunicorn", "flask"]),
    "gradio": ("gradio", "config", ["gradio"]),
    "mlflow": ("MLflow", "health", ["mlflow"]),
    "panel": ("panel", "", ["panel"]),
    "shiny": ("shiny", "", ["shiny"]),
    "tensorboard": ("TensorBoard", "data/environment", ["tensorboard"]),
    "voila": ("42", "", ["voila"]),
}
PARAMETERS = [
    pytest.param(page, shown, also, id=page, marks=pytest.mark.package(*packages))
    for page, (shown, also, packages) in CASES.items()
]


@pytest.mark.parametrize(("page", "shown", "also"), PARAMETERS)
def test_without_a_prefix(tmp_path: Path, page: str, shown: str, also: str) -> None:
    """Command and preset of its page of the cookbook, alone at "/": page, scripts, styles"""
    files = files_of(page)
    config = files.pop("jupyter_server_config.py")
    spec = re.search(r'"\w+": (\{.*?\n    \}),?\n', config, re.DOTALL)
    assert spec is not None
    server = eval(spec[1])
    for name, text in {**files, "dashboard.ipynb": NOTEBOOK}.items():
        (tmp_path / name).write_text(text)
    port = free_port()
    command = [sys.executable, "-m", "jupyter_server_proxy.standalone", "--no-authentication"]
    command += [f"--preset={server['preset']}", "--address=127.0.0.1", f"--port={port}", "--", *server["command"]]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **PROGRAMS}, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}/"
        start = "docs" if page == "fastapi" else ""
        answer = _wait(url + start, process, log)
        assert answer.status_code == 200, (answer.url, answer.status_code, answer.text[:2000], log.read_text())
        assert shown in answer.text, answer.text[:3000]
        assert answer.url.startswith(url), answer.url
        for part in parts_of(answer.url, answer.text)[:12]:
            found = requests.get(part, timeout=PATIENCE)
            assert found.status_code == 200, part
            kind = found.headers["Content-Type"]
            assert "javascript" in kind or "css" in kind, (part, kind)
        assert requests.get(url + also, timeout=PATIENCE).status_code == 200
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> requests.Response:
    """The first answer: the address is open once the application has been started."""
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            return requests.get(url, timeout=PATIENCE)
        except requests.ConnectionError:
            time.sleep(0.2)
