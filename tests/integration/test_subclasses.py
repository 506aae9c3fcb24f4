"""What packages written for 4.6 do with its classes: subclass, call, override, patch, and look into."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websockets
from harness import APPS, PATIENCE, Answer, Jupyter, background, free_port, listens, wait_until

ENDED = http.client.HTTPException


@pytest.fixture(scope="module")
def bare(echo_port: int) -> Iterator[int]:
    port = free_port()
    with background([sys.executable, str(APPS / "bare.py"), str(port), str(echo_port)], lambda: listens(port)):
        yield port


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Answer(response.status, response.reason, response.getheaders(), response.read())
    finally:
        connection.close()


async def talk(url: str, message: str, **options: Any) -> str:
    async with websockets.connect(url, proxy=None, **options) as connection:
        await connection.send(message)
        return str(await asyncio.wait_for(connection.recv(), 20))


# ---- without Jupyter


def test_a_bare_tornado_application(bare: int, echo_port: int) -> None:
    answer = ask(bare, "GET", f"/proxy/{echo_port}/127.0.0.1/a/b%20c?x=1")
    assert (answer.status, answer.json()["target"]) == (200, "/a/b%20c?x=1")
    body = os.urandom(1_000_000)
    told = ask(bare, "POST", f"/proxy/{echo_port}/localhost/up", body).json()
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert asyncio.run(talk(f"ws://127.0.0.1:{bare}/proxy/{echo_port}/localhost/ws", "hello")) == "hello"


def test_each_handler_has_its_own_list_of_hosts(bare: int, echo_port: int) -> None:
    assert ask(bare, "GET", f"/proxy/{echo_port}/localhost4/x").status in (200, 502)  # appended by the handler
    refused = ask(bare, "POST", f"/proxy/{echo_port}/localhost4/x", b"x")
    assert refused.status == 403
    assert "localhost4" in refused.text


def test_responses_stream(bare: int, echo_port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bare, timeout=PATIENCE)
    connection.request("GET", f"/proxy/{echo_port}/localhost/sse")
    response = connection.getresponse()
    assert response.read1(100).startswith(b"data: 0")  # the rest never comes
    connection.close()


def test_nobody_listens(bare: int) -> None:
    assert ask(bare, "GET", f"/proxy/{free_port()}/localhost/x").status == 502


def test_a_callable_list_of_hosts(bare: int, echo_port: int) -> None:
    assert ask(bare, "POST", f"/closed/{echo_port}/localhost/x", b"x").status == 403


def test_what_can_be_overridden(bare: int) -> None:
    answer = ask(bare, "GET", "/changed/x", X_Unwanted="1", X_Forwarded_Prefix="/evil")
    fields = {name.lower(): value for name, value in answer.json()["headers"]}
    assert answer.get("X-Rewritten") == "yes"
    assert (fields["x-override"], fields["x-added"]) == ("yes", "yes")
    assert "x-unwanted" not in fields
    assert fields["x-forwarded-prefix"] == "/changed"
    url = f"ws://127.0.0.1:{bare}/changed/ws"
    assert asyncio.run(talk(url, "hello", origin="http://friend.example")) == "hello"
    with pytest.raises(websockets.InvalidStatus) as caught:
        asyncio.run(talk(url, "hello", origin=f"http://127.0.0.1:{bare}"))
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_whatever_becomes_of_prepare_somebody_must_be_logged_in(bare: int, echo_port: int, method: str) -> None:
    assert ask(bare, method, f"/guarded/{echo_port}/x").status == 403
    with pytest.raises(websockets.InvalidStatus) as caught:
        asyncio.run(talk(f"ws://127.0.0.1:{bare}/guarded/{echo_port}/ws", "hello"))
    assert caught.value.response.status_code == 403


# ---- under Jupyter

CONFIG = """
import os
from jupyter_server_proxy.config import ServerProcess, make_handlers
from jupyter_server_proxy.handlers import LocalProxyHandler, ProxyHandler, SuperviseAndProxyHandler

original = ProxyHandler.prepare
async def prepare(self, *args, **kwargs):  # as swanmetrics does
    await original(self)
    ProxyHandler.asked = getattr(ProxyHandler, "asked", 0) + 1
ProxyHandler.prepare = prepare

class Notebook(SuperviseAndProxyHandler):
    name = "by-class"
    def get_cmd(self):
        return [*(word.format(port=self.port, unix_socket="") for word in ECHO), "{literally}"]
    def get_env(self):
        return {"BRACES": "{}", "WHO": self.current_user.username and "somebody"}
    def get_timeout(self):
        return 60

class Own(ServerProcess):
    def make_proxy_handler(self):
        return Notebook, {"state": {}}

class Inherited(ServerProcess):
    def make_proxy_handler(self):
        handler, kwargs = super().make_proxy_handler()
        class Counted(handler):
            async def proxy(self, port, path):
                self.set_header("X-Ignored", "1")
                return await super().proxy(port, path)
        return Counted, kwargs

c.ServerProxy.servers = {
    "plain": {"command": ECHO, "timeout": 60},
    "by-class": Own(name="by-class", command=ECHO),
    "inherited": Inherited(name="inherited", command=ECHO, timeout=60, mappath={"/": "/first"},
                           environment={"PORT_IS": "{port}"}, request_headers_override={"X-Port": "{port}"}),
    "failing": Inherited(name="failing", command=[sys.executable, "-c", "raise SystemExit('no')"]),
}
"""


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    jupyter: Jupyter = start_jupyter(CONFIG, base_url="/base/", extensions=("jupyter_server_proxy", "walker"),
                                     environment={"PYTHONPATH": str(APPS)})  # fmt: skip
    return jupyter


def test_s1_a_subclass_with_its_own_command(jupyter: Jupyter) -> None:
    assert jupyter.get("by-class/x", login=False).status == 403
    answer = jupyter.get("by-class/a%2Fb//c?x=1")
    assert (answer.status, answer.json()["target"]) == (200, "/a%2Fb//c?x=1")
    told = jupyter.get("by-class/environ").json()
    assert "{literally}" in told["argv"]
    assert (told["environ"]["BRACES"], told["environ"]["WHO"]) == ("{}", "somebody")
    assert jupyter.get("by-class").get("Location") == "/base/by-class/"
    assert asyncio.run(talk(jupyter.websocket_url("by-class/ws"), "hello")) == "hello"
    assert "token" not in json.dumps(jupyter.get("by-class/x").json()["headers"])


def test_a_subclass_is_supervised_like_all(jupyter: Jupyter) -> None:
    pid = jupyter.get("by-class/x").json()["pid"]
    [server] = [one for one in jupyter.get("server-proxy/api/servers").json()["servers"] if one["name"] == "by-class"]
    assert (server["state"], server["pid"]) == ("ready", pid)
    os.kill(pid, 9)
    assert wait_until(lambda: (a := jupyter.get("by-class/x")).status == 200 and a, "it").json()["pid"] != pid


def test_options_hold_for_a_class_that_was_made_for_them(jupyter: Jupyter) -> None:
    answer = jupyter.get("inherited/")
    assert answer.json()["target"] == "/first"
    port = dict(answer.json()["headers"])["X-Port"]
    assert jupyter.get("inherited/environ").json()["environ"]["PORT_IS"] == port
    put = jupyter.request("PUT", "inherited/x", body=b"12345")
    assert put.json()["length"] == 5


def test_a_start_that_fails_says_why(jupyter: Jupyter) -> None:
    answer = jupyter.get("failing/x")
    assert (answer.status, "exited with status 1" in answer.text) == (503, True)


def test_processes_are_found_in_the_routes(jupyter: Jupyter) -> None:
    """As marimo's extension does: look for the state, stop the process, and let the next request start it."""
    first = jupyter.get("plain/x").json()["pid"]
    found = jupyter.get("walk/plain").json()
    assert found == {"running": True, "pid": first, "ended": True, "returncode": found["returncode"], "after": False}
    assert found["returncode"] is not None
    assert jupyter.get("plain/x").json()["pid"] != first


def test_a_patched_prepare_is_used(jupyter: Jupyter) -> None:
    before = jupyter.get("walk/asked").json()["asked"]
    jupyter.get("by-class/x")
    assert jupyter.get("walk/asked").json()["asked"] > before
