"""A directive that documents an OpenAPI document: ``{rest} openapi.yaml``. Tables of what is there, and no scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

METHODS = ("get", "post", "put", "patch", "delete")


class Rest(SphinxDirective):
    """A section for each operation, and one for each object."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        lines = describe(yaml.safe_load(path.read_text(encoding="utf-8"))).splitlines()
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(path)), self.content_offset, node, match_titles=True)
        return node.children


def describe(document: dict[str, Any]) -> str:
    """MyST."""
    parts = [document["info"]["description"], "## Operations"]
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                parts.append(operation(document, f"{method.upper()} {path}", item, item[method]))
    parts.append("## Objects")
    parts += [entity(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n\n".join(parts)


def operation(document: dict[str, Any], name: str, item: dict[str, Any], found: dict[str, Any]) -> str:
    """One method of one path."""
    parts = [f"### `{name}`", sentence(found.get("summary", "")), found.get("description", "")]
    parameters = [resolve(document, one) for one in [*item.get("parameters", []), *found.get("parameters", [])]]
    if parameters:
        rows = [
            (f"`{one['name']}`", f"{one['in']}; {kind(one['schema'])}", one.get("description", ""))
            for one in parameters
        ]
        parts.append(table(("parameter", "where and what", "meaning"), rows))
    for media, content in found.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body, `{media}`: {kind(content.get('schema', {}))}.")
    rows = []
    for status, answer in found["responses"].items():
        answer = resolve(document, answer)
        contents = answer.get("content", {}).items()
        kinds = "; ".join(f"`{media}`: {kind(content.get('schema', {}))}" for media, content in contents)
        rows.append((str(status), answer.get("description", ""), kinds))
    parts.append(table(("answer", "meaning", "body"), rows))
    return "\n\n".join(part for part in parts if part)


def entity(name: str, schema: dict[str, Any]) -> str:
    """One schema: its fields, or its values."""
    parts = [f"(rest-{name.lower()})=\n### {name}", schema.get("description", "")]
    if "enum" in schema:
        parts.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
    required = schema.get("required", [])
    rows = []
    for field, found in schema.get("properties", {}).items():
        optional = "" if field in required else " (may be missing)"
        rows.append((f"`{field}`{optional}", kind(found), found.get("description", "")))
    if rows:
        parts.append(table(("field", "what", "meaning"), rows))
    elif "enum" not in schema and "properties" not in schema:
        parts.append(f"{kind(schema)}.")
    return "\n\n".join(part for part in parts if part)


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#rest-{name.lower()})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return (" and " if word == "allOf" else " or ").join(kind(one) for one in schema[word])
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    types = schema.get("type", "anything")
    text = " or ".join(types) if isinstance(types, list) else str(types)
    if text == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return f"{text} ({schema['format']})" if "format" in schema else text


def resolve(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    while "$ref" in found:
        target: Any = document
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found = target
    return found


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown; a cell is one line."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in row) + " |" for row in lines
    )


def sentence(text: str) -> str:
    """With its full stop."""
    return text if not text or text.endswith(".") else f"{text}."


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("rest", Rest)
    return {"parallel_read_safe": True}
