"""A directive that documents the traits of a class: ``{options} jupyter_server_proxy.config.ServerProcess``."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from textwrap import indent
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from traitlets import TraitType

from jupyter_server_proxy.option import Option

#: What users write, for what the functions that check options return.
KINDS = {
    "Any": "any",
    "Callable[..., Any]": "callable",
    "LogFileSpec": "path, or dictionary",
    "None": "None",
    "ReadinessSpec": "path, dictionary, or callable",
    "TlsSpec": "bool, or dictionary",
    "bool": "bool",
    "dict[str, str]": "dictionary of strings",
    "dict[str, str | None]": "dictionary of strings or None",
    "float": "number",
    "int": "integer",
    "list[re.Pattern[str]]": "list of regular expressions",
    "list[str]": "list of strings",
    "str": "string",
    "Literal[True]": "True",
    "tuple[Callable[..., Any], ...]": "callable, or a list of callables",
}
#: The same for traits whose types are those of traitlets.
TRAITS = {
    "Bool": "bool",
    "Dict": "dictionary",
    "Float": "number",
    "Int": "integer",
    "List": "list",
    "Unicode": "string",
}
#: Of options whose function does not say it, or returns something else than what is written.
OTHER_KINDS = {
    "launcher_entry": "dictionary, or a list of them",
    "stop_signal": "name or number of a signal",
    "unix_socket": "True, or path",
    "icon_path": "path",
    "host_allowlist": "list, or callable",
    "host_whitelist": "list, or callable",
    "cwd": "path",
}


class Options(SphinxDirective):
    """A definition for each trait: its name, its type, its help with the default, and where there is more about it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        module, _, name = self.arguments[0].rpartition(".")
        owner = getattr(importlib.import_module(module), name)
        prose = Path(self.env.srcdir) / "configuration.md"
        self.env.note_dependency(str(prose))
        anchors = anchors_of(prose.read_text(encoding="utf-8"), "extension" if name == "ServerProxy" else "server")
        lines: list[str] = []
        for trait in traits_of(owner):
            more = "" if name == "LauncherEntry" else anchors.get(str(trait.name), "")
            lines += [*describe(owner, trait, more), ""]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), self.content_offset, node)
        return node.children


def anchors_of(text: str, whose: str) -> dict[str, str]:
    """The anchors of the options in docs/configuration.md, of those of a "server" or of the "extension"."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    section = ""
    for level, title in re.findall(r"^(#{1,4}) (.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        if level == "##":
            section = title
        elif section.endswith(whose):
            for name in re.findall(r"`(\w+)`", title):
                found[name] = f"{slug}-{count}" if count else slug
    return found


def traits_of(owner: type) -> list[TraitType[Any, Any]]:
    """Those of the class and of ours that it inherits from, in the order of the sources."""
    found = {}
    for base in owner.__mro__:
        if base.__module__.startswith("jupyter_server_proxy"):
            for name, trait in vars(base).items():
                if isinstance(trait, TraitType) and (trait.metadata.get("config") or isinstance(trait, Option)):
                    found.setdefault(name, trait)
    return list(found.values())


def describe(owner: type, trait: TraitType[Any, Any], more: str) -> list[str]:
    """MyST: the name as a term, with an anchor that other pages can link to; ``more`` is an anchor of the prose."""
    anchor = f"{owner.__name__}.{trait.name}".lower()
    text = inspect.cleandoc(str(trait.help))
    body = paragraphs(text)
    if "efault" not in text:
        body += f" Default: `{trait.default_value!r}`."
    if more:
        body += f" [More](../configuration.md#{more})."
    return [f"({anchor})=", f"`{trait.name}` ({kind(trait)})", *indent(body, "  ").replace("  ", ": ", 1).splitlines()]


def kind(trait: TraitType[Any, Any]) -> str:
    """What users write for it."""
    if trait.name in OTHER_KINDS:
        return OTHER_KINDS[trait.name]
    if not isinstance(trait, Option):
        return TRAITS[type(trait).__name__]
    returned = str(inspect.get_annotations(trait.check)["return"])
    return ", or ".join(KINDS[part] for part in re.split(r" \| (?![^\[]*\])", returned))


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
