"""How the documentation is built: ``make docs``. Warnings are errors there, and so are links that lead nowhere."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

import jupyter_server_proxy  # noqa: E402

LOG = logging.getLogger(__name__)

REPOSITORY = "https://github.com/jupyterhub/jupyter-server-proxy"

project = "jupyter-server-proxy"
author = "jupyter-server-proxy contributors"
project_copyright = author
version = release = jupyter_server_proxy.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "links",
    "options",
    "rest",
]
exclude_patterns = ["_build", "_ext"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.header"]  # some pages begin with the output of a program
nitpicky = False

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"{project} {release}"
html_theme_options = {"source_repository": REPOSITORY, "source_branch": "main", "source_directory": "docs/"}
html_copy_source = False

# Addresses of the examples, and of the project itself before its first release, cannot be asked.
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|[a-z.]*hub\.example(\.org)?)", REPOSITORY, r".*readthedocs\.io"]


def _link_to_repository(app: Sphinx, name: str, source: list[str]) -> None:
    """Files that are not below docs/ are shown by the repository; they have to be there."""
    page = DOCS / name

    def link(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(page.parent / found[1]))
        if path.is_relative_to(DOCS):
            return found[0]
        if not path.exists():
            LOG.warning("there is no file %s", found[1], location=name)
        return f"]({REPOSITORY}/blob/main/{path.relative_to(DOCS.parent)}"

    source[0] = re.sub(r"\]\(((?:\.\./)+[^)#\s]+)", link, source[0])


def _include_from_repository(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    """What is included from beside docs/ has links that begin there."""
    lines = [re.sub(r"\]\((?!\w+:|#)", "](../", line) for line in content[0].splitlines(keepends=True)]
    content[0] = "".join(lines).replace("](../docs/", "](")
    _link_to_repository(app, parent, content)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _link_to_repository)
    app.connect("include-read", _include_from_repository)
