"""The document of the REST API: it is valid, its examples are what it says, and it tells of each handler."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from schemathesis.openapi import from_dict
from tornado.web import RequestHandler

from jupyter_server_proxy.web.rest import ROUTES

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8")
)

METHODS = ("get", "head", "post", "put", "patch", "delete")


def resolve(reference: str) -> Any:
    """What a reference within the document leads to."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def walk(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All objects of the document, with where they are."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from walk(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walk(inner, f"{path}/{index}")


def check(schema: dict[str, Any], instance: Any) -> None:
    """Compare an example with its schema, which may refer to others; fields that no schema knows are wrong, too."""
    schemas = copy.deepcopy(DOCUMENT["components"]["schemas"])
    for _, inner in walk(schemas):
        if inner.get("type") == "object":
            inner.setdefault("additionalProperties", False)
    whole = {**schema, "components": {"schemas": schemas}}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(instance)


def examples() -> list[Any]:
    """Each example of a response or of a request, with the schema of its content."""
    found = []
    for path, content in walk(DOCUMENT):
        for name, example in content.get("examples", {}).items() if "schema" in content else ():
            value = resolve(example["$ref"])["value"] if "$ref" in example else example["value"]
            found.append(pytest.param(content["schema"], value, id=f"{path.strip('/')}/{name}"))
    return found


def test_it_is_a_valid_openapi_document() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    from_dict(copy.deepcopy(DOCUMENT)).validate()


def test_the_validation_can_fail() -> None:
    broken = copy.deepcopy(DOCUMENT)
    del broken["paths"]["/ports"]["get"]["responses"]["200"]["description"]
    with pytest.raises(Exception, match="description"):
        from_dict(broken).validate()


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"])
def test_the_schemas_are_valid(schema: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][schema])


def test_references_lead_somewhere() -> None:
    references = [value["$ref"] for _, value in walk(DOCUMENT) if "$ref" in value]
    assert len(references) > 50
    for reference in references:
        assert isinstance(resolve(reference), dict), reference


def test_all_components_are_used() -> None:
    used = {value["$ref"] for _, value in walk(DOCUMENT) if "$ref" in value}
    kinds = DOCUMENT["components"]
    assert {
        f"#/components/{kind}/{name}" for kind in kinds if kind != "securitySchemes" for name in kinds[kind]
    } <= used


@pytest.mark.parametrize(("schema", "value"), examples())
def test_examples_are_as_their_schemas_say(schema: dict[str, Any], value: Any) -> None:
    check(schema, value)


def test_the_check_of_examples_can_fail() -> None:
    ready = copy.deepcopy(DOCUMENT["components"]["examples"]["Ready"]["value"])
    schema = {"$ref": "#/components/schemas/Server"}
    for change in ({"state": "asleep"}, {"since": "yesterday"}, {"unknown": 1}, {"last_exit": {}}):
        with pytest.raises(ValidationError):
            check(schema, {**ready, **change})


def test_required_fields_exist() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), name


# ---- the handlers


def path_of(pattern: str) -> str:
    """The path in the document for a regular expression of a route: its groups are names of servers."""
    return "/" + re.sub(r"\((?:[^()]|\([^()]*\))*\)", "{name}", pattern).strip("/^$")


def methods_of(handler: type[RequestHandler]) -> set[str]:
    """The methods that a handler itself has, and not those which all handlers of Jupyter have."""
    return {
        name
        for kind in handler.__mro__
        if kind.__module__.startswith("jupyter_server_proxy.")
        for name in vars(kind)
        if name in METHODS
    }


HANDLERS = {path_of(pattern): methods_of(handler) for pattern, handler in ROUTES}


def test_each_route_is_in_the_document_and_the_other_way_round() -> None:
    assert set(HANDLERS) == set(DOCUMENT["paths"])


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_the_methods_are_those_of_the_handler(path: str) -> None:
    assert HANDLERS[path] == set(DOCUMENT["paths"][path]) & set(METHODS)


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_operations_are_named_and_tell_their_errors(path: str) -> None:
    for method in set(DOCUMENT["paths"][path]) & set(METHODS):
        operation = DOCUMENT["paths"][path][method]
        assert re.fullmatch(r"[a-z]+[A-Z][A-Za-z]*", operation["operationId"])
        assert operation["summary"]
        assert "403" in operation["responses"]
        if "{name}" in path:
            assert "404" in operation["responses"]


def test_names_of_operations_are_different() -> None:
    names = [value["operationId"] for _, value in walk(DOCUMENT["paths"]) if "operationId" in value]
    assert len(names) == len(set(names)) == 9


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (r"servers", "/servers"),
        (r"servers/(.+)", "/servers/{name}"),
        (r"servers/(?P<name>(?:a|b)+)/start", "/servers/{name}/start"),
        (r"/servers/([^?]+?)/logs$", "/servers/{name}/logs"),
    ],
)
def test_regular_expressions_are_read_as_paths(pattern: str, path: str) -> None:
    assert path_of(pattern) == path
