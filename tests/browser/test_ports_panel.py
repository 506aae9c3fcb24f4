"""The panel "Ports" of JupyterLab, with a real kernel whose notebook starts a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import OpenContext
from harness import Jupyter, free_port
from labs import picture, start_lab
from playwright.sync_api import Locator, Page, expect

SERVE = (
    "import subprocess, sys\np = subprocess.Popen([sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '{}'])"
)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Jupyter]:
    directory: Path = tmp_path_factory.mktemp("jupyter") / "server"
    cells = [
        {
            "cell_type": "code",
            "id": identifier,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for identifier, source in (("start", SERVE.format(port)), ("stop", "p.kill(); p.wait()"))
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    server = start_lab(directory, {})
    (directory / "analysis.ipynb").write_text(json.dumps(notebook))
    yield server
    server.stop()


@pytest.fixture
def notebook(jupyter: Jupyter, open_context: OpenContext) -> Page:
    """A window of JupyterLab with a notebook whose kernel is ready."""
    page = open_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"http://127.0.0.1:{jupyter.port}/base/lab/tree/analysis.ipynb?reset&token={jupyter.token}")
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible(timeout=90_000)
    page.wait_for_timeout(1500)  # what is there already is not announced
    return page


def run_cell(notebook: Page, number: int) -> None:
    notebook.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(number).click()
    notebook.keyboard.press("Shift+Enter")


def row(page: Page, port: int) -> Locator:
    number = page.locator(".jp-ServerProxy-ports-number").filter(has_text=str(port))
    return page.locator(".jp-ServerProxy-ports-row").filter(has=number)


def test_a_port_that_a_notebook_opens_is_announced_listed_and_opened(notebook: Page, port: int) -> None:
    run_cell(notebook, 0)
    toast = notebook.locator(".Toastify__toast").filter(has_text=str(port))
    expect(toast).to_be_visible(timeout=60_000)
    with notebook.context.expect_page() as opening:
        toast.get_by_role("button", name="Open").click()
    expect(opening.value).to_have_title("Directory listing for /")
    assert opening.value.url.endswith(f"/base/proxy/{port}/")
    opening.value.close()

    notebook.locator(".lm-TabBar-tab[data-id='jp-server-proxy-ports']").click()
    mine = row(notebook, port)
    expect(mine).to_contain_text("analysis.ipynb")
    search = notebook.locator(".jp-ServerProxy-ports").get_by_role("searchbox")
    search.fill("analysis")  # other processes of this user listen, too
    picture(notebook, "ports")
    search.fill("")
    mine.get_by_role("button", name="JupyterLab tab").click()
    frame = notebook.frame_locator(".jp-ServerProxy-tab iframe")
    expect(frame.locator("h1")).to_have_text("Directory listing for /")

    notebook.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(has_text="analysis.ipynb").click()
    run_cell(notebook, 1)
    expect(mine).to_have_count(0)
