"""Pages of the cookbook, as they stand, with what the extra test-apps brings; the others are in tests/compat."""

from __future__ import annotations

import re

import pytest
from harness import Jupyter, process_gone
from recipes import COOKBOOK, HOST, entry_of, files_of, get, load_parts, open_page, start_page

pytest.importorskip("streamlit", reason="needs the extra test-apps")
pytest.importorskip("panel", reason="needs the extra test-apps")

pytestmark = [pytest.mark.apps, pytest.mark.timeout(300)]


def handshake(jupyter: Jupyter, path: str, *more: str) -> int:
    """The status of the answer to a websocket that a page of Jupyter's own origin opens."""
    answer = jupyter.get(
        path,
        headers={
            "Host": f"{HOST}:{jupyter.port}",
            "Origin": f"http://{HOST}:{jupyter.port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **({"Sec-WebSocket-Protocol": ", ".join(more)} if more else {}),
        },
        timeout=120,
    )
    return answer.status


def test_streamlit(start_jupyter) -> None:
    jupyter = start_page(start_jupyter, "streamlit")
    url, page = open_page(jupyter, entry_of(jupyter, "streamlit"))
    assert load_parts(jupyter, url, page) > 0
    assert get(jupyter, "report/_stcore/health").text == "ok"
    assert handshake(jupyter, "report/_stcore/stream", "streamlit") == 101


@pytest.mark.parametrize(("name", "path"), [("panel", "slider/slider"), ("bokeh", "plot/plot")])
def test_bokeh_and_panel(start_jupyter, name: str, path: str) -> None:
    jupyter = start_page(start_jupyter, name)
    assert entry_of(jupyter, name) == path
    url, page = open_page(jupyter, path)
    assert load_parts(jupyter, url, page) > 0
    token = re.search(r'"token":"([^"]+)"', page.text)
    assert token is not None
    assert handshake(jupyter, f"{path}/ws", "bokeh", token[1]) == 101
    # The page of the server itself leads to its one application, and does not lose the prefix.
    assert open_page(jupyter, path.partition("/")[0] + "/")[0].endswith(f"/user/me/{path}")


def test_a_folder_of_files(start_jupyter) -> None:
    jupyter = start_page(start_jupyter, "files")
    (jupyter.directory / "site").mkdir()
    (jupyter.directory / "site" / "index.html").write_text("<p>hello")
    _, page = open_page(jupyter, entry_of(jupyter, "files"))
    assert page.text == "<p>hello"
    assert "sandbox" in page.get("Content-Security-Policy")


def test_nothing_is_left_when_jupyter_ends(start_jupyter) -> None:
    jupyter = start_page(start_jupyter, "streamlit")
    open_page(jupyter, "report/")
    processes = jupyter.descendants()
    assert processes
    jupyter.stop()
    for process in processes:
        assert process_gone(process.pid)


def test_each_page_is_in_the_list_and_shows_what_it_needs() -> None:
    index = (COOKBOOK / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in COOKBOOK.glob("*.md")} - {"index"}
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == pages
    for page in pages:
        files = files_of(page)
        config = files.get("jupyter_server_config.py", "")
        for program in re.findall(r'"(\w+\.py)"', config):
            assert program in files, f"{page}.md does not show {program}"
        for text in files.values():
            compile(text, page, "exec")


def test_the_first_steps(start_jupyter) -> None:
    """The application of docs/get-started.md."""
    jupyter = start_page(start_jupyter, "../get-started")
    _, page = open_page(jupyter, entry_of(jupyter, "../get-started"))
    assert page.text.startswith("Hello from http://")
    assert page.text.endswith("/user/me/hello/\n")
    log = jupyter.get("server-proxy/api/servers/hello/logs")
    assert "Hello is starting" in log.text
