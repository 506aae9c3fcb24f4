"""How the documentation is built: ``make docs``. Warnings are errors there, and so are links that lead nowhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

import jupyter_server_proxy  # noqa: E402

REPOSITORY = "https://github.com/jupyterhub/jupyter-server-proxy"

project = "jupyter-server-proxy"
author = "jupyter-server-proxy contributors"
project_copyright = author
version = release = jupyter_server_proxy.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "options", "rest"]
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
    """Files that are not below docs/ are shown by the repository."""
    source[0] = re.sub(r"\]\(\.\./(?!\.\./)([^)#]+)", rf"]({REPOSITORY}/blob/main/\1", source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _link_to_repository)
