"""A directive that documents the traits of a class: ``{options} jupyter_server_proxy.config.ServerProcess``."""

from __future__ import annotations

import importlib
import inspect
import re
from textwrap import indent
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from traitlets import TraitType

from jupyter_server_proxy.option import Option


class Options(SphinxDirective):
    """A definition for each trait: its name, its default, its help."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        module, _, name = self.arguments[0].rpartition(".")
        owner = getattr(importlib.import_module(module), name)
        text = "\n".join(line for trait in traits_of(owner) for line in [*describe(owner, trait), ""])
        node = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.arguments[0]), self.content_offset, node)
        return node.children


def traits_of(owner: type) -> list[TraitType[Any, Any]]:
    """Those of the class and of ours that it inherits from, in the order of the sources."""
    found = {}
    for base in owner.__mro__:
        if base.__module__.startswith("jupyter_server_proxy"):
            for name, trait in vars(base).items():
                if isinstance(trait, TraitType) and (trait.metadata.get("config") or isinstance(trait, Option)):
                    found.setdefault(name, trait)
    return list(found.values())


def describe(owner: type, trait: TraitType[Any, Any]) -> list[str]:
    """MyST: the name as a term, with an anchor that other pages can link to."""
    anchor = f"{owner.__name__}.{trait.name}".lower()
    kind = "" if isinstance(trait, Option) else f" ({type(trait).__name__})"
    body = paragraphs(inspect.cleandoc(str(trait.help)))
    return [f"({anchor})=", f"`{trait.name}`{kind}", *indent(body, "  ").replace("  ", ": ", 1).splitlines()]


def paragraphs(text: str) -> str:
    """Help texts are plain: braces and underscores mean themselves; what is indented is an example."""
    parts = []
    for part in re.split(r"\n\s*\n", text):
        if part.startswith("    ") or all(line.startswith("    ") for line in part.splitlines()):
            parts.append("```python\n" + inspect.cleandoc(part) + "\n```")
        else:
            parts.append(re.sub(r"([_*<>{}\[\]`~|])", r"\\\1", part))
    return "\n\n".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("options", Options)
    return {"parallel_read_safe": True}
