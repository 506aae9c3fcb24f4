"""The REST API is as docs/openapi.yaml says: schemathesis asks a real Jupyter all sorts of right and wrong things.

Streams do not end, so they are no part of the generated requests; they are read by hand below.
"""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from harness import PATIENCE, Jupyter, wait_until
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.checks import load_all_checks
from schemathesis.openapi import from_dict

CONFIG = """
# Ready within a moment, and ended by SIGTERM at once: it is started many times.
QUICK = [sys.executable, "-S", "-c", '''
import socket, sys
print("\\\\x1b[32mlistening\\\\x1b[0m <b>", flush=True)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer = server.accept()[0]
    asked = peer.recv(65536)
    status = b"500 No" if b"/fail" in asked else b"200 OK"
    if b"/fail" in asked:
        print("this is why", flush=True)
    head = b"HTTP/1.1 " + status + b"\\\\r\\\\nContent-Length: 2\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n"
    peer.sendall(head + b"ok")
    peer.close()
''', "{port}"]

c.ServerProxy.servers = {
    "quick": {"command": QUICK, "launcher_entry": {"title": "Quick & <i>"}},
    "team/nested": {"command": QUICK, "lifecycle": {}},
    "other": {"command": QUICK},
    "broken": {"command": [sys.executable, "-S", "-c", "print('no luck'); raise SystemExit(3)"]},
    "missing": {"command": ["a-program-that-does-not-exist"]},
    "foreign": {"port": 9},
}
""".replace('"lifecycle": {}', '"timeout": 10')

#: What the generated requests name; only "unknown" is none of them.
NAMES = ["quick", "team/nested", "broken", "missing", "foreign", "unknown"]

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8")
)


def strict_document() -> dict[str, Any]:
    """The document, made stricter: no fields that it does not tell of, no streams, and names that exist."""
    document = copy.deepcopy(DOCUMENT)
    forbid_more(document["components"]["schemas"])
    document["components"]["parameters"]["Name"]["schema"] = {"type": "string", "enum": NAMES}
    del document["paths"]["/events"]
    logs = document["paths"]["/servers/{name}/logs"]["get"]
    logs["parameters"] = [parameter for parameter in logs["parameters"] if parameter["name"] != "follow"]
    return document


def forbid_more(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("type") == "object":
            value.setdefault("additionalProperties", False)
        for inner in value.values():
            forbid_more(inner)
    elif isinstance(value, list):
        for inner in value:
            forbid_more(inner)


API = from_dict(strict_document())

load_all_checks()
CHECKS = schemathesis.checks.CHECKS.get_by_names(
    [
        "status_code_conformance",  # also of 5xx: 503 is documented, and nothing else
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "ignored_auth",
    ]
)

BOUNDED = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    return start_jupyter(CONFIG, base_url="/base/")


def call(jupyter: Jupyter, path: str, method: str = "GET", body: Any = None) -> Any:
    encoded = None if body is None else json.dumps(body).encode()
    answer = jupyter.request(method, f"server-proxy/api/{path}", body=encoded if method == "GET" else encoded or b"")
    return answer.status, answer.json()


def validate(schema: str, value: Any) -> None:
    """Compare a value with a schema of the document, in which no other fields are allowed."""
    schemas = strict_document()["components"]["schemas"]
    whole = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": schemas}}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


@API.parametrize()
@BOUNDED
def test_answers_are_as_the_document_says(case: schemathesis.Case, jupyter: Jupyter) -> None:
    # Parameters that nobody knows are allowed: Jupyter itself has some, and pages add numbers against caches.
    has_more = set(case.query or {}) - {"tail", "html", "wait", "token"}
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{jupyter.port}/base/server-proxy/api",
        headers={"Authorization": f"token {jupyter.token}"},
        checks=[check for check in CHECKS if not (has_more and check.__name__ == "negative_data_rejection")],
        timeout=PATIENCE,
    )


# ---- what generated requests do not reach


def test_a_server_is_as_the_document_says_in_each_of_its_states(jupyter: Jupyter) -> None:
    call(jupyter, "servers/quick/stop", "POST")
    seen = []
    for action, expected in (("start", 200), ("stop", 200), ("restart", 200)):
        status, server = call(jupyter, f"servers/quick/{action}?wait=1", "POST")
        assert status == expected
        validate("Server", server)
        seen.append(server["state"])
    assert seen == ["ready", "stopped", "ready"]
    assert call(jupyter, "servers/broken/start", "POST", {"wait": True})[0] == 503
    status, broken = call(jupyter, "servers/broken")
    assert (status, broken["state"], broken["failure"]["exit_code"]) == (200, "failed", 3)
    assert broken["failure"]["output"] == ["no luck"]
    validate("Server", broken)


def test_a_failed_start_tells_why(jupyter: Jupyter) -> None:
    for name, code, output in (("broken", 3, ["no luck"]), ("missing", None, [])):
        status, error = call(jupyter, f"servers/{name}/start?wait=1", "POST")
        assert status == 503
        validate("StartError", error)
        assert (error["exit_code"], error["output"]) == (code, output)


def test_errors_are_as_the_document_says(jupyter: Jupyter) -> None:
    for method, path, expected in (
        ("GET", "servers/unknown", 404),
        ("POST", "servers/unknown/start", 404),
        ("POST", "servers/foreign/start", 409),
        ("POST", "servers/foreign/stop", 409),
        ("POST", "servers/foreign/restart", 409),
        ("GET", "servers/quick/logs?tail=-1", 400),
        ("GET", "servers/quick/logs?tail=1001", 400),
        ("GET", "servers/quick/logs?tail=many", 400),
        ("GET", "servers/quick/logs?tail=" + "1" * 5000, 400),
        ("GET", "servers/quick/logs?html=perhaps", 400),
        ("GET", "servers/quick/logs?follow=perhaps", 400),
        ("POST", "servers/quick/start?wait=perhaps", 400),
        ("DELETE", "servers/quick", 405),
        ("GET", "servers/quick/start", 405),
    ):
        status, error = call(jupyter, path, method)
        assert (method, path, status) == (method, path, expected)
        validate("Error", error)


def test_messages_name_the_server_as_it_was_asked_for(jupyter: Jupyter) -> None:
    for name, shown in (("100%25", "'100%'"), ("a%2Fb", "'a/b'"), ("%25s%25d", "'%s%d'"), ("%C3%A4", "'ä'")):
        status, error = call(jupyter, f"servers/{name}")
        assert (status, error["message"]) == (404, f"There is no server {shown}.")


def test_the_allowed_methods_are_told(jupyter: Jupyter) -> None:
    for path, method, allowed in (("servers/quick", "DELETE", "GET"), ("servers/quick/start", "GET", "POST")):
        answer = jupyter.request(method, f"server-proxy/api/{path}")
        assert answer.status == 405
        assert (answer.get("Allow") or "").split(", ") == [allowed, "OPTIONS"]


def test_bodies_that_are_no_json_objects_are_refused(jupyter: Jupyter) -> None:
    for body in (b"{", b"[]", b"7", b"null", b'{"wait": "yes"}', b'{"wait": 1}', b"\xff", b"[" * 100_000):
        answer = jupyter.request("POST", "server-proxy/api/servers/quick/start", body=body)
        assert (body[:20], answer.status) == (body[:20], 400)
        validate("Error", answer.json())


def test_nothing_is_answered_without_a_login(jupyter: Jupyter) -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method in {"get", "post"} & set(operations):
            target = "server-proxy/api" + path.replace("{name}", "quick")
            body = b"" if method == "post" else None
            answer = jupyter.request(method.upper(), target, login=False, body=body)
            assert (path, method, answer.status) == (path, method, 403)
            validate("Error", answer.json())


def test_a_name_with_a_slash_may_be_encoded_or_not(jupyter: Jupyter) -> None:
    for name in ("team/nested", "team%2Fnested"):
        assert call(jupyter, f"servers/{name}")[1]["name"] == "team/nested"
        assert call(jupyter, f"servers/{name}/logs")[1]["name"] == "team/nested"


def test_logs_and_errors_of_a_server_that_has_served(jupyter: Jupyter) -> None:
    assert call(jupyter, "servers/other/start?wait=1", "POST")[0] == 200
    failed = jupyter.get("other/fail")
    assert failed.status == 500
    logs = wait_until(
        lambda: len((logs := call(jupyter, "servers/other/logs?html=1")[1])["lines"]) >= 2 and logs, "two lines"
    )
    validate("Logs", logs)
    assert logs["lines"][0]["text"] == "\x1b[32mlistening\x1b[0m <b>"
    assert "&lt;b&gt;" in logs["lines"][0]["html"]
    assert [line["number"] for line in logs["lines"]] == list(range(logs["lines"][0]["number"], logs["next"]))
    errors = call(jupyter, "servers/other/errors")[1]
    validate("Errors", errors)
    assert [(error["method"], error["status"]) for error in errors["errors"]] == [("GET", 500)]
    assert errors["errors"][0]["path"].endswith("other/fail")
    assert errors["errors"][0]["request_id"] == failed.get("X-Request-ID")
    assert [line["text"] for line in errors["errors"][0]["lines"]] == ["this is why"]
    status, listed = call(jupyter, "ports")
    assert status == 200
    validate("Ports", listed)
    owners = [port["owner"] for port in listed["ports"]]
    assert {"kind": "server", "name": "other"} in owners
    assert {"kind": "jupyter"} in owners


# ---- streams


class Stream:
    """Server-sent events, read as they come."""

    def __init__(self, jupyter: Jupyter, path: str) -> None:
        self.connection = jupyter.connect()
        self.connection.request(
            "GET", jupyter.path(f"server-proxy/api/{path}"), headers={"Authorization": f"token {jupyter.token}"}
        )
        self.response: http.client.HTTPResponse = self.connection.getresponse()
        assert self.response.status == 200
        assert (self.response.getheader("Content-Type") or "").partition(";")[0] == "text/event-stream"

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """(event, data) for each; comments are passed over."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            elif "event" in fields:
                yield fields["event"], json.loads(fields["data"])
                fields = {}

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@pytest.fixture
def stream(jupyter: Jupyter) -> Iterator[Callable[[str], Stream]]:
    streams: list[Stream] = []

    def begin(path: str) -> Stream:
        streams.append(Stream(jupyter, path))
        return streams[-1]

    yield begin
    for each in streams:
        each.close()


def test_a_stream_of_logs_is_as_the_document_says(jupyter: Jupyter, stream: Callable[[str], Stream]) -> None:
    call(jupyter, "servers/quick/stop", "POST")
    following = iter(stream("servers/quick/logs?follow=1&html=1&tail=5"))
    assert call(jupyter, "servers/quick/start?wait=1", "POST")[0] == 200
    states, lines = [], []
    while not (states and states[-1] == "ready" and lines):
        event, data = next(following)
        assert event in ("state", "line")
        validate({"state": "Server", "line": "Line"}[event], data)
        if event == "state":
            states.append(data["state"])
        else:
            lines.append(data)
    assert states[0] == "stopped"
    assert "starting" in states
    assert lines[-1]["html"]


def test_a_stream_of_states_is_as_the_document_says(jupyter: Jupyter, stream: Callable[[str], Stream]) -> None:
    call(jupyter, "servers/quick/stop", "POST")
    following = iter(stream("events"))
    begun = [next(following) for _ in range(6)]
    assert {data["name"] for _, data in begun} == {"quick", "team/nested", "other", "broken", "missing", "foreign"}
    assert call(jupyter, "servers/quick/start?wait=1", "POST")[0] == 200
    states = []
    while not states or states[-1] != "ready":
        event, data = next(following)
        assert event == "state"
        validate("Server", data)
        if data["name"] == "quick":
            states.append(data["state"])
    assert states[0] == "starting"
