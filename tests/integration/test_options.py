"""Every option of a server, each with a real Jupyter and a real child process."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import APPS, Answer, Jupyter, free_port, lines_of
from tornado.websocket import websocket_connect

CONFIG = """
import functools
import gzip
import pathlib

ODD = {odd!r}
OUTSIDE = {outside}
FIXED = {fixed}
ICON = {icon!r}
SOCKET = {socket!r}


def command(port, base_url="/default/"):
    return [*ECHO[:2], f"--port={{port}}", f"--given={{base_url}}", "--kind={{}}".format(type(port).__name__)]


def defaulted(port, unix_socket="default", base_url="default", other="kept"):
    return [*ECHO, f"--socket-was=[{{unix_socket}}]", f"--base-was={{base_url}}", f"--other={{other}}"]


def prepared(extra, port):
    return [*ECHO, extra]


class Maker:
    def command(self, base_url):
        return [*ECHO, "--bound=" + base_url]

    def __call__(self, unix_socket):
        return [*ECHO, "--object"]


def literal():
    return [*ECHO, "--braces={{{{port}}}}", "--rendered={{port}}"]


def environment(port, base_url):
    return {{"CALLED": "{{port}} " + str(port) + " " + base_url, "NOTHING": None, "SHADOWED": None}}


def shorten(path):
    return path.replace("/long/", "/") + "?own=1"


def headers(base_url):
    return {{"X-Called": base_url + " {{port}}", "X-Brace": "{{{{}}}}"}}


def shout(response):
    response.body = response.body.upper()
    return "ignored"


def mark(response, request, orig_response, host, port, path):
    response.headers["X-Seen"] = f"{{request.method}} {{host}} {{port}} {{path}} {{orig_response.code}}"
    response.headers["X-Original"] = orig_response.headers.get("X-Echo", "no")
    response.code = 418
    response.reason = "Short and stout"
    if "X-Echo" in response.headers:
        del response.headers["X-Echo"]


def unpack(response):
    response.body = gzip.decompress(response.body) + b" and rewritten"
    del response.headers["Content-Encoding"]


def fail(response):
    raise RuntimeError("secret reason")


def reject(response):
    response.code = "five"


def only_posts(request):
    return request.method == "POST"


def broken_activity(request):
    return request.no_such_attribute


def allowed(handler, host):
    return host == "127.0.0.1" and handler.request.headers.get("X-Please") == "yes"


SLOW = "import os, sys, time; time.sleep(float(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
DAEMONIZE = "import subprocess, sys; subprocess.Popen(sys.argv[1:])"

c.ServerProxy.host_allowlist = allowed
c.ServerProxy.non_service_rewrite_response = mark
c.ServerProxy.servers = {{
    "list": {{"command": [*ECHO, "--base={{base_url}}", "--braces={{{{x}}}}", "--both={{port}}-{{port}}"]}},
    "tuple": {{"command": (*ECHO, "--tuple")}},
    "callable": {{"command": command}},
    "defaulted": {{"command": defaulted}},
    "partial": {{"command": functools.partial(prepared, "--partial")}},
    "bound": {{"command": Maker().command}},
    "object": {{"command": Maker()}},
    "literal": {{"command": literal}},
    "paths": {{"command": [pathlib.Path(ECHO[0]), pathlib.Path(ECHO[1]), *ECHO[2:]]}},
    "out-none": {{"command": None, "port": OUTSIDE}},
    "out-list": {{"command": [], "port": OUTSIDE}},
    "out-text": {{"command": "", "port": OUTSIDE}},
    "out-absent": {{"port": OUTSIDE}},
    "out-call-list": {{"command": lambda: [], "port": OUTSIDE}},
    "out-call-none": {{"command": lambda port: None, "port": OUTSIDE}},
    "patient": {{"command": [sys.executable, "-c", SLOW, "6", *ECHO], "timeout": 60}},
    "hasty": {{"command": [sys.executable, "-c", SLOW, "60", *ECHO], "timeout": 0.5}},
    "env": {{
        "command": ECHO,
        "environment": {{
            "WHERE": "{{port}} [{{unix_socket}}] {{base_url}}", "BRACES": "{{{{}}}}",
            "NOTHING": None, "SHADOWED": "new",
        }},
    }},
    "env-call": {{"command": ECHO, "environment": environment}},
    "absolute": {{"command": ECHO, "absolute_url": True}},
    "fixed": {{"command": ECHO, "port": FIXED}},
    "unix": {{"command": ECHO, "unix_socket": True, "port": 1}},
    "unix-path": {{"command": ECHO, "unix_socket": SOCKET, "port": 1}},
    "unix-pathlib": {{"command": ECHO, "unix_socket": pathlib.Path(SOCKET + "2")}},
    "unix-long": {{"command": ECHO, "unix_socket": SOCKET.ljust(103 if sys.platform == "darwin" else 107, "l")}},
    "map": {{"command": ECHO, "mappath": {{"/": "/index.html", "/old": "/new?own=1", "/a b": "/space"}}}},
    "map-call": {{"command": ECHO, "mappath": shorten}},
    "launcher": {{
        "command": ECHO,
        "new_browser_tab": False,
        "launcher_entry": {{
            "enabled": False, "icon_path": pathlib.Path(ICON), "title": "A title", "category": "Tools",
            "path_info": "launcher/lab?x=1",
        }},
    }},
    "headers": {{
        "command": ECHO,
        "request_headers_override": {{
            "Host": "other.example", "origin": "http://o.example:{{port}}", "Authorization": "Bearer own",
            "X-Forwarded-Prefix": "/mine", "X-Base": "{{base_url}}", "Accept-Encoding": "identity",
        }},
    }},
    "headers-call": {{"command": ECHO, "request_headers_override": headers}},
    "rewrite": {{"command": ECHO, "rewrite_response": shout}},
    "rewrite-chain": {{"command": ECHO, "rewrite_response": [shout, mark]}},
    "rewrite-gzip": {{"command": [sys.executable, ODD, "gzip", "{{port}}"], "rewrite_response": (unpack,)}},
    "rewrite-fails": {{"command": ECHO, "rewrite_response": fail}},
    "rewrite-wrong": {{"command": ECHO, "rewrite_response": reject}},
    "active": {{"command": ECHO}},
    "passive": {{"command": ECHO, "update_last_activity": False}},
    "posts": {{"command": ECHO, "update_last_activity": only_posts}},
    "unsure": {{"command": ECHO, "update_last_activity": broken_activity}},
    "polled": {{"command": ECHO, "exclude_last_activity_patterns": ["/base/polled/poll", "/other"]}},
    "already": {{"command": ["echo", "already running"], "port": OUTSIDE}},
    "daemon": {{"command": [sys.executable, "-c", DAEMONIZE, *ECHO]}},
    "query": {{"command": ECHO, "launcher_entry": {{"path_info": "query?tkn=a%2Fb"}}}},
    "raw": {{"command": [sys.executable, ODD, "lines", "{{port}}"], "raw_socket_proxy": True}},
    "raw-mkstemp": {{
        "command": [sys.executable, ODD, "lines", "{{unix_socket}}"], "raw_socket_proxy": True,
        "unix_socket": SOCKET + "3",
    }},
    "raw-unix": {{
        "command": [sys.executable, ODD, "lines", "{{unix_socket}}"], "raw_socket_proxy": True, "unix_socket": True,
    }},
}}
from jupyter_server_proxy.config import LauncherEntry, ServerProcess

c.ServerProxy.servers["instance"] = ServerProcess(
    name="instance", command=ECHO, launcher_entry=LauncherEntry(title="An instance")
)
c.ServerProxy.servers["unnamed"] = ServerProcess(command=[*ECHO, "--unnamed"])
"""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, echo_port: int) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("o")
    icon = directory / "icon.svg"
    icon.write_bytes(SVG)
    (directory / "s3").touch(0o600)
    return {
        "odd": str(APPS / "odd.py"),
        "outside": echo_port,
        "fixed": free_port(),
        "icon": str(icon),
        "socket": str(directory / "s"),
    }


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], places: dict[str, Any]) -> Jupyter:
    environment = {"INHERITED": "yes", "SHADOWED": "old"}
    return start_jupyter(CONFIG.format(**places), base_url="/base/", environment=environment)


def told(answer: Answer) -> dict[str, Any]:
    """What the echo application says, once it is known to have answered."""
    assert answer.status == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def words(jupyter: Jupyter, name: str) -> list[str]:
    result: list[str] = told(jupyter.get(f"{name}/environ"))["argv"]
    return result


def field(description: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in description["headers"] if key.lower() == name.lower()]


# ---- command


def test_command_list(jupyter: Jupyter) -> None:
    port, unix_socket, *rest = words(jupyter, "list")
    number = port.removeprefix("--port=")
    assert int(number) > 0
    assert unix_socket == "--unix-socket="
    assert rest == ["--base=/base/", "--braces={x}", f"--both={number}-{number}"]


def test_command_tuple(jupyter: Jupyter) -> None:
    assert words(jupyter, "tuple")[-1] == "--tuple"


def test_command_callable(jupyter: Jupyter) -> None:
    """Defaulted arguments are given as well, and the port is an int."""
    assert words(jupyter, "callable")[1:] == ["--given=/base/", "--kind=int"]


def test_command_callable_defaults(jupyter: Jupyter) -> None:
    """``unix_socket`` is an empty string where it is not used; arguments not on offer keep their default."""
    assert words(jupyter, "defaulted")[2:] == ["--socket-was=[]", "--base-was=/base/", "--other=kept"]


@pytest.mark.parametrize(
    ("name", "word"), [("partial", "--partial"), ("bound", "--bound=/base/"), ("object", "--object")]
)
def test_command_other_callables(jupyter: Jupyter, name: str, word: str) -> None:
    assert words(jupyter, name)[-1] == word


def test_command_result_is_rendered(jupyter: Jupyter) -> None:
    port, _, braces, rendered = words(jupyter, "literal")
    assert braces == "--braces={port}"
    assert rendered == "--rendered=" + port.removeprefix("--port=")


def test_command_of_paths(jupyter: Jupyter) -> None:
    assert told(jupyter.get("paths/x"))["target"] == "/x"


@pytest.mark.parametrize("name", ["none", "list", "text", "absent", "call-list", "call-none"])
def test_no_command_is_not_managed(jupyter: Jupyter, echo_port: int, name: str) -> None:
    """What listens there already is proxied, and nothing is started."""
    outside = told(jupyter.get(f"out-{name}/environ"))
    assert f"--port={echo_port}" in outside["argv"]
    assert outside["pid"] not in [process.pid for process in jupyter.descendants()]


# ---- timeout


def test_timeout_larger(jupyter: Jupyter) -> None:
    """It takes longer than the default of 5 seconds to listen."""
    assert told(jupyter.get("patient/x"))["target"] == "/x"


@pytest.mark.behaviour("P9")
def test_timeout_passed(jupyter: Jupyter) -> None:
    answer = jupyter.get("hasty/x")
    assert answer.status in (503, 504)
    assert "hasty" in answer.text
    assert "0.5" in answer.text


# ---- environment


def test_environment_dictionary(jupyter: Jupyter) -> None:
    answer = told(jupyter.get("env/environ"))
    environ = answer["environ"]
    port = answer["argv"][0].removeprefix("--port=")
    assert environ["WHERE"] == f"{port} [] /base/"
    assert environ["BRACES"] == "{}"
    assert environ["SHADOWED"] == "new"
    assert "NOTHING" not in environ
    assert environ["INHERITED"] == "yes"
    assert environ["PATH"]


def test_environment_callable(jupyter: Jupyter) -> None:
    """A variable of value None is as if it were not named: what is inherited stays."""
    answer = told(jupyter.get("env-call/environ"))
    port = answer["argv"][0].removeprefix("--port=")
    assert answer["environ"]["CALLED"] == f"{port} {port} /base/"
    assert "NOTHING" not in answer["environ"]
    assert answer["environ"]["SHADOWED"] == "old"
    assert answer["environ"]["INHERITED"] == "yes"


# ---- commands that end


def test_command_that_ends_while_somebody_answers(jupyter: Jupyter, echo_port: int) -> None:
    """Some commands only say that the server runs already."""
    for _ in range(2):
        assert f"--port={echo_port}" in words(jupyter, "already")


def test_command_that_daemonizes(jupyter: Jupyter) -> None:
    """What it leaves behind is the server, and is not started a second time."""
    first = told(jupyter.get("daemon/x"))
    assert told(jupyter.get("daemon/y"))["pid"] == first["pid"]


# ---- where it listens, and what it is asked


def test_absolute_url(jupyter: Jupyter) -> None:
    assert told(jupyter.get("absolute/x?y=1"))["target"] == "/base/absolute/x?y=1"
    assert told(jupyter.get("list/x?y=1"))["target"] == "/x?y=1"


def test_port(jupyter: Jupyter, places: dict[str, Any]) -> None:
    assert words(jupyter, "fixed")[0] == f"--port={places['fixed']}"
    with socket.create_connection(("127.0.0.1", places["fixed"]), timeout=5):
        pass


@pytest.mark.behaviour("P7")
def test_unix_socket(jupyter: Jupyter) -> None:
    """The port is ignored, and nobody else can enter the directory."""
    port, unix_socket = words(jupyter, "unix")
    assert port == "--port=0"
    path = Path(unix_socket.removeprefix("--unix-socket="))
    assert path.is_socket()
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.behaviour("P7")
@pytest.mark.parametrize(("name", "suffix"), [("unix-path", ""), ("unix-pathlib", "2")])
def test_unix_socket_path(jupyter: Jupyter, places: dict[str, Any], name: str, suffix: str) -> None:
    assert words(jupyter, name) == ["--port=0", f"--unix-socket={places['socket']}{suffix}"]
    assert Path(places["socket"] + suffix).is_socket()


def test_unix_socket_path_of_greatest_length(jupyter: Jupyter) -> None:
    """What the check of the configuration lets pass can be listened at."""
    assert told(jupyter.get("unix-long/x"))["target"] == "/x"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("map/", "/index.html"),
        ("map/?x=1", "/index.html?x=1"),
        ("map/old", "/new?own=1"),
        ("map/old?x=1&own=2", "/new?own=1&x=1&own=2"),
        ("map/old/", "/old/"),
        ("map/older", "/older"),
        ("map/a%20b", "/space"),
        ("map-call/long/page", "/page?own=1"),
        ("map-call/page?x=%3F", "/page?own=1&x=%3F"),
    ],
)
def test_mappath(jupyter: Jupyter, path: str, target: str) -> None:
    assert told(jupyter.get(path))["target"] == target


# ---- launchers


def servers_info(jupyter: Jupyter) -> dict[str, Any]:
    listed = jupyter.get("server-proxy/servers-info").json()
    assert list(listed) == ["server_processes"]
    return {server["name"]: server for server in listed["server_processes"]}


def test_launcher_entry(jupyter: Jupyter) -> None:
    """The same JSON as jupyter-server-proxy 4.6 gives."""
    servers = servers_info(jupyter)
    assert servers["list"] == {
        "name": "list",
        "launcher_entry": {"enabled": True, "title": "list", "path_info": "list/", "category": "Notebook"},
        "new_browser_tab": True,
    }
    assert servers["launcher"] == {
        "name": "launcher",
        "launcher_entry": {
            "enabled": False,
            "title": "A title",
            "path_info": "launcher/lab?x=1",
            "category": "Tools",
            "icon_url": "/base/server-proxy/icon/launcher",
        },
        "new_browser_tab": False,
    }


def test_path_info_with_query(jupyter: Jupyter) -> None:
    """It may lack the slash: the redirect that adds it keeps the query as it is."""
    path_info = servers_info(jupyter)["query"]["launcher_entry"]["path_info"]
    assert path_info == "query?tkn=a%2Fb"
    redirect = jupyter.get(path_info)
    assert 301 <= redirect.status <= 308
    location = redirect.get("Location") or ""
    assert location.endswith("/base/query/?tkn=a%2Fb"), location
    assert told(jupyter.get("query/?tkn=a%2Fb"))["target"] == "/?tkn=a%2Fb"


def test_icon(jupyter: Jupyter) -> None:
    icon = jupyter.get("server-proxy/icon/launcher")
    assert icon.status == 200
    assert icon.body == SVG
    assert (icon.get("Content-Type") or "").startswith("image/svg+xml")
    assert jupyter.get("server-proxy/icon/list").status == 404


def test_server_process_instances(jupyter: Jupyter) -> None:
    assert told(jupyter.get("instance/x"))["target"] == "/x"
    assert servers_info(jupyter)["instance"]["launcher_entry"]["title"] == "An instance"
    assert words(jupyter, "unnamed")[-1] == "--unnamed"
    assert servers_info(jupyter)["unnamed"]["launcher_entry"]["path_info"] == "unnamed/"


# ---- request_headers_override


def test_request_headers_override(jupyter: Jupyter) -> None:
    sent = {"Origin": f"http://127.0.0.1:{jupyter.port}", "Accept-Encoding": "gzip"}
    request = told(jupyter.get("headers/x", headers=sent))
    port = words(jupyter, "headers")[0].removeprefix("--port=")
    expected = {
        "Host": "other.example",
        "Origin": f"http://o.example:{port}",
        "Authorization": "Bearer own",
        "X-Forwarded-Prefix": "/mine",
        "X-Base": "/base/",
        "Accept-Encoding": "identity",
    }
    assert {name: field(request, name) for name in expected} == {name: [value] for name, value in expected.items()}


def test_request_headers_override_callable(jupyter: Jupyter) -> None:
    request = told(jupyter.get("headers-call/x", headers={"X-Called": "by the client"}))
    port = words(jupyter, "headers-call")[0].removeprefix("--port=")
    assert field(request, "X-Called") == [f"/base/ {port}"]
    assert field(request, "X-Brace") == ["{}"]


def test_request_headers_override_websocket(jupyter: Jupyter, jp_asyncio_loop: asyncio.AbstractEventLoop) -> None:
    async def handshake() -> dict[str, Any]:
        connection = await websocket_connect(jupyter.websocket_url("headers/ws-info"))
        result: dict[str, Any] = json.loads(await connection.read_message() or "")
        connection.close()
        return result

    request = jp_asyncio_loop.run_until_complete(asyncio.wait_for(handshake(), 60))
    assert field(request, "Host") == ["other.example"]
    assert field(request, "Authorization") == ["Bearer own"]


# ---- rewrite_response


def test_rewrite_response(jupyter: Jupyter) -> None:
    answer = jupyter.get("rewrite/Some/path")
    assert answer.status == 200
    assert b'"TARGET": "/SOME/PATH"' in answer.body
    assert answer.get_all("Content-Length") == [str(len(answer.body))]
    assert answer.get("X-Echo") == "yes"


def test_rewrite_response_chain(jupyter: Jupyter) -> None:
    answer = jupyter.get("rewrite-chain/some/path?x=1")
    assert (answer.status, answer.reason) == (418, "Short and stout")
    assert b'"TARGET": "/SOME/PATH?X=1"' in answer.body
    port = jupyter.get("rewrite-chain/environ").text.partition("--PORT=")[2].partition('"')[0]
    assert (answer.get("X-Seen") or "").split() == ["GET", "localhost", port, "/some/path", "200"]
    assert answer.get("X-Original") == "yes"
    assert answer.get("X-Echo") is None


def test_rewrite_response_of_compressed(jupyter: Jupyter) -> None:
    """Functions get the body as it was sent, and may send another coding of it."""
    answer = jupyter.get("rewrite-gzip/x", headers={"Accept-Encoding": "gzip"})
    assert answer.status == 200, answer.text
    assert answer.body == b"plain inside and rewritten"
    assert answer.get("Content-Encoding") is None


@pytest.mark.behaviour("S9")
@pytest.mark.parametrize("name", ["rewrite-fails", "rewrite-wrong"])
def test_rewrite_response_that_fails(jupyter: Jupyter, name: str) -> None:
    """An error page, without what may be secret; the server goes on."""
    for _ in range(2):
        answer = jupyter.get(f"{name}/x")
        assert 500 <= answer.status <= 599
        assert "rewrite_response" in answer.text
        assert "secret reason" not in answer.text
    assert told(jupyter.get("list/x"))["target"] == "/x"


def test_non_service_rewrite_response(jupyter: Jupyter, echo_port: int) -> None:
    """Applies to both forms of /proxy/, and to no server."""
    answer = jupyter.get(f"proxy/{echo_port}/x")
    assert answer.status == 418
    assert (answer.get("X-Seen") or "").split() == ["GET", "localhost", str(echo_port), "/x", "200"]
    answer = jupyter.get(f"proxy/127.0.0.1:{echo_port}/x", headers={"X-Please": "yes"})
    assert (answer.get("X-Seen") or "").split() == ["GET", "127.0.0.1", str(echo_port), "/x", "200"]
    assert jupyter.get("list/x").status == 200


# ---- activity


def last_activity(jupyter: Jupyter) -> str:
    value: str = jupyter.get("api/status?no_track_activity=1").json()["last_activity"]
    return value


@pytest.mark.parametrize(
    ("method", "path", "counts"),
    [
        ("GET", "active/x", True),
        ("GET", "passive/x", False),
        ("GET", "posts/x", False),
        ("POST", "posts/x", True),
        ("GET", "unsure/x", True),
        ("GET", "polled/poll?x=1", False),
        ("GET", "polled/polling", False),
        ("GET", "polled/x/other", True),
        ("GET", "polled/x", True),
    ],
)
def test_activity(jupyter: Jupyter, method: str, path: str, counts: bool) -> None:
    """True, False, a function of the request (one that fails counts), and patterns from the start of the full path."""
    before = last_activity(jupyter)
    time.sleep(0.01)
    assert jupyter.request(method, path, body=b"" if method == "POST" else None).status == 200
    assert (last_activity(jupyter) > before) == counts


# ---- raw_socket_proxy


@pytest.mark.parametrize("name", ["raw", "raw-unix", "raw-mkstemp"])
def test_raw_socket_proxy(jupyter: Jupyter, jp_asyncio_loop: asyncio.AbstractEventLoop, name: str) -> None:
    """Also where mkstemp made an empty file of the socket's path, which the server replaces."""

    async def converse() -> bytes:
        connection = await websocket_connect(jupyter.websocket_url(f"{name}/"))
        await connection.write_message(b"hello \x00\xff", binary=True)
        received = b""
        while len(received) < 8:
            message = await connection.read_message()
            assert isinstance(message, bytes)
            received += message
        connection.close()
        return received

    assert jp_asyncio_loop.run_until_complete(asyncio.wait_for(converse(), 60)) == b"HELLO \x00\xff"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_raw_socket_proxy_takes_no_http(jupyter: Jupyter, method: str) -> None:
    assert jupyter.request(method, "raw/", body=b"" if method == "POST" else None).status == 405


# ---- hosts


def test_host_allowlist_callable(jupyter: Jupyter, echo_port: int) -> None:
    """It is given the handler, which has the request, and the host."""
    assert jupyter.get(f"proxy/127.0.0.1:{echo_port}/x").status == 403
    assert jupyter.get(f"proxy/127.0.0.1:{echo_port}/x", headers={"X-Please": "yes"}).status == 418
    assert jupyter.get(f"proxy/localhost:{echo_port}/x", headers={"X-Please": "yes"}).status == 403


# ---- wrong values

WRONG = """
c.ServerProxy.host_whitelist = ["localhost"]


def raises(port):
    raise RuntimeError("no luck today")


c.ServerProxy.servers = {
    "w-command": {"command": "python -m http.server {port}"},
    "w-word": {"command": [None, "x"]},
    "w-timeout": {"command": ECHO, "timeout": "soon"},
    "w-environment": {"command": ECHO, "environment": ["A=b"]},
    "w-absolute": {"command": ECHO, "absolute_url": "yes"},
    "w-port": {"command": ECHO, "port": 70000},
    "w-socket": {"command": ECHO, "unix_socket": "x" * 200},
    "w-mappath": {"command": ECHO, "mappath": {"/": 3}},
    "w-launcher": {"command": ECHO, "launcher_entry": "Title"},
    "w-title": {"command": ECHO, "launcher_entry": {"title": 5}},
    "w-tab": {"command": ECHO, "new_browser_tab": 1},
    "w-headers": {"command": ECHO, "request_headers_override": {"X-A": "a\\nb"}},
    "w-rewrite": {"command": ECHO, "rewrite_response": "shout"},
    "w-activity": {"command": ECHO, "update_last_activity": "yes"},
    "w-patterns": {"command": ECHO, "exclude_last_activity_patterns": ["("]},
    "w-raw": {"command": ECHO, "raw_socket_proxy": None},
    "w-nowhere": {},
    "w-type": ["python"],
    "w name": {"command": ECHO},
    "proxy": {"command": ECHO},
    "good": {"command": ECHO, "comand": 1, "new_browser_window": True, "launcher_entry": {"titel": "x", "url": "y"}},
    "raising": {"command": raises},
    "lost": {"command": [*ECHO, "{nothing}"]},
    "none-later": {"command": lambda: [None]},
}
"""


@pytest.fixture(scope="module")
def wrong(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    return start_jupyter(WRONG)


@pytest.mark.behaviour("P11")
@pytest.mark.parametrize(
    ("name", "option", "remedy"),
    [
        ("w-command", "command", "shlex"),
        ("w-word", "command", "install it"),
        ("w-timeout", "timeout", "must be a number of seconds"),
        ("w-environment", "environment", "must be a dictionary or a callable"),
        ("w-absolute", "absolute_url", "must be True or False"),
        ("w-port", "port", "from 0 to 65535"),
        ("w-socket", "unix_socket", "at most 107 bytes"),
        ("w-mappath", "mappath", "must map strings to strings"),
        ("w-launcher", "launcher_entry", "must be a dictionary"),
        ("w-title", "launcher_entry.title", "must be a string"),
        ("w-tab", "new_browser_tab", "must be True or False"),
        ("w-headers", "request_headers_override", "line break"),
        ("w-rewrite", "rewrite_response", "must be a function"),
        ("w-activity", "update_last_activity", "must be True, False or a callable"),
        ("w-patterns", "exclude_last_activity_patterns", "must hold valid regular expressions"),
        ("w-raw", "raw_socket_proxy", "must be True or False"),
        ("w-nowhere", "command", "or 'port'"),
        ("w-type", "configuration", "must be a dictionary or a ServerProcess"),
        ("w name", "name", "use letters"),
        ("proxy", "name", "choose another name"),
    ],
)
def test_wrong_value(wrong: Jupyter, name: str, option: str, remedy: str) -> None:
    """One warning names the server, the option and the remedy; there is no traceback, and no such server."""
    said = lines_of(wrong.log(), f"server '{name}'")
    assert len(said) == 1, said
    assert option in said[0]
    assert remedy in said[0]
    assert said[0].startswith("[W "), said
    assert name not in servers_info(wrong)


@pytest.mark.behaviour("P11")
def test_wrong_values_leave_the_others_working(wrong: Jupyter) -> None:
    assert told(wrong.get("good/x"))["target"] == "/x"
    assert "Traceback" not in wrong.log()


@pytest.mark.behaviour("P11")
def test_unknown_keys_warn(wrong: Jupyter) -> None:
    assert "good" in servers_info(wrong)
    for key in ("comand", "new_browser_window", "titel", "url"):
        said = lines_of(wrong.log(), f"unknown key '{key}'")
        assert len(said) == 1, said
        assert "server 'good'" in said[0]


@pytest.mark.behaviour("P9")
@pytest.mark.parametrize(
    ("name", "told_to_user"), [("raising", "no luck today"), ("lost", "{nothing}"), ("none-later", "Word 1")]
)
def test_command_that_cannot_be_made(wrong: Jupyter, name: str, told_to_user: str) -> None:
    """Callables are called by requests, so that is when their failures show."""
    answer = wrong.get(f"{name}/x")
    assert 500 <= answer.status <= 599
    assert name in answer.text
    assert told_to_user in answer.text
    assert "Traceback" not in answer.text


def test_host_whitelist_is_deprecated(wrong: Jupyter, echo_port: int) -> None:
    said = lines_of(wrong.log(), "host_whitelist is deprecated")
    assert len(said) == 1, said
    assert "host_allowlist" in said[0]
    assert wrong.get(f"proxy/localhost:{echo_port}/x").status == 200
    assert wrong.get(f"proxy/127.0.0.1:{echo_port}/x").status == 403
