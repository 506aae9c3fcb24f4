"""Runs the pages of docs/cookbook as they stand: their configuration, their programs, and a visit."""

from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from harness import Answer, Jupyter

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook"

#: Not the address that applications listen on: so it shows which of them insist on being asked for by that.
HOST = "jupyter.example"

#: Seconds until an application has started, on a busy machine.
PATIENCE = 240.0

#: Programs such as "streamlit" are those of the environment that runs the tests.
PROGRAMS = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

CONFIG_FILE = "jupyter_server_config.py"


def files_of(page: str) -> dict[str, str]:
    """The files that a page shows: Python blocks whose first line is a comment with a name."""
    text = (COOKBOOK / f"{page}.md").read_text(encoding="utf-8")
    found = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        first, _, rest = block.partition("\n")
        if named := re.fullmatch(r"# ([\w.]+\.py)", first):
            found[named[1]] = rest
    return found


def start_page(start_jupyter, page: str, **more: str) -> Jupyter:
    """A Jupyter server with the configuration of a page, and its programs in the folder.

    Args:
        start_jupyter: the fixture.
        page: its name, without ``.md``.
        more: further files, by name with "_" for ".", and their text.
    """
    files = files_of(page)
    config = files.pop(CONFIG_FILE) + "\nc.ServerApp.allow_remote_access = True\n"
    jupyter: Jupyter = start_jupyter(config, base_url="/user/me/", environment=PROGRAMS)
    for name, text in {**files, **{name.replace("_", "."): text for name, text in more.items()}}.items():
        (jupyter.directory / name).write_text(text)
    return jupyter


def entry_of(jupyter: Jupyter, page: str) -> str:
    """Where the launcher's entry of a page's server leads, relative to the base URL."""
    name = re.search(r'"(\w+)": {', files_of(page)[CONFIG_FILE])
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    (found,) = [server["launcher_entry"]["path_info"] for server in servers if name and server["name"] == name[1]]
    return str(found)


def get(jupyter: Jupyter, path: str) -> Answer:
    """A request as a browser sends it that knows Jupyter by another name; a path from the root is taken as it is."""
    relative = path.removeprefix("/user/me/")
    return jupyter.get(relative, headers={"Host": f"{HOST}:{jupyter.port}"}, timeout=PATIENCE)


def open_page(jupyter: Jupyter, path: str) -> tuple[str, Answer]:
    """A page, after up to five redirections, which must not leave Jupyter; and its URL."""
    url = f"http://{HOST}:{jupyter.port}/user/me/{path}"
    for _ in range(5):
        parts = urlsplit(url)
        answer = get(jupyter, parts.path + (f"?{parts.query}" if parts.query else ""))
        if answer.status not in (301, 302, 303, 307, 308):
            break
        url = urljoin(url, answer.get("Location"))
        assert urlsplit(url).netloc == f"{HOST}:{jupyter.port}", url
        assert urlsplit(url).path.startswith("/user/me/"), url
    assert answer.status == 200, (url, answer.status, answer.text[:2000])
    return url, answer


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Scripts and styles."""
        values = dict(attrs)
        if tag == "base":
            self.base = values.get("href") or ""
        elif tag == "script" and values.get("src"):
            self.found.append(values["src"] or "")
        elif tag == "link" and values.get("href") and "stylesheet" in (values.get("rel") or ""):
            self.found.append(values["href"] or "")


def parts_of(url: str, text: str) -> list[str]:
    """The URLs of a page's scripts and styles that come from its own host."""
    links = _Links()
    links.feed(text)
    base = urljoin(url, links.base)
    return [part for link in links.found if urlsplit(part := urljoin(base, link)).netloc == urlsplit(url).netloc]


def load_parts(jupyter: Jupyter, url: str, page: Answer, at_most: int = 12) -> int:
    """Scripts and styles of a page that come from the same host.

    Returns:
        How many there are.
    """
    own = parts_of(url, page.text)
    for part in own[:at_most]:
        parts = urlsplit(part)
        assert parts.path.startswith("/user/me/"), part
        answer = get(jupyter, parts.path + (f"?{parts.query}" if parts.query else ""))
        assert answer.status == 200, (part, answer.status)
        kind = answer.get("Content-Type")
        assert "javascript" in kind or "css" in kind, (part, kind)
    return len(own)
