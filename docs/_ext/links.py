"""Copies the pictures that pages show by HTML of their own, and looks whether everything that a page names is there.

MyST checks the links that are written in Markdown; this looks at the pages that came of it.
"""

from __future__ import annotations

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)

#: Made by themes and scripts: their links are not ours.
OTHERS = {"genindex", "search", "py-modindex"}


class Page(HTMLParser):
    """What a page names, and what it can be asked for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.names.add(value)
            elif name == "srcset" and value:
                self.names |= {part.split()[0] for part in value.split(",")}


def copy_pictures(app: Sphinx) -> None:
    """Those of ``<picture>`` keep their names."""
    source = Path(app.srcdir) / "images"
    shutil.copytree(source, Path(app.outdir) / "images", dirs_exist_ok=True)


def check(app: Sphinx, error: Exception | None) -> None:
    """Called when all pages are written."""
    if error is not None or app.builder.name != "html":
        return
    copy_pictures(app)
    out = Path(app.outdir)
    pages = {name: Page((out / f"{name}.html").read_text(encoding="utf-8")) for name in sorted(app.env.found_docs)}
    for name, page in pages.items():
        for target in sorted(page.names):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = (
                Path(os.path.normpath((out / name).parent / unquote(parts.path)))
                if parts.path
                else out / f"{name}.html"
            )
            other = path.relative_to(out).as_posix().removesuffix(".html")
            if other in OTHERS:
                continue
            if not path.exists():
                LOG.warning("%s is not there", target, location=name)
            elif parts.fragment and other in pages and unquote(parts.fragment) not in pages[other].ids:
                LOG.warning("%s has no such place", target, location=name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True}
