"""Who gets in: every entry is authorized before a process is started or a socket is opened.

Sockets that nobody must dial listen in the test itself; servers that must not start leave a file when they do.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

import pytest
from harness import Answer, Jupyter, Listener, free_port, lines_of
from jupyter_server.auth import passwd

METHODS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCOL", "CONNECT", "TRACE",
    "BREW",
]  # fmt: skip
HANDSHAKE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PAGE = {"Accept": "text/html,*/*;q=0.8"}
PASSWORD = "correct horse"

#: Leaves a file named "started-<name>" in the directory of the Jupyter server.
LEAVES_TRACE = "import pathlib, sys, time; pathlib.Path('started-' + sys.argv[1]).touch(); time.sleep(60)"

SERVERS = f"""
def trace(name, **options):
    return {{"command": [sys.executable, "-c", {LEAVES_TRACE!r}, name], "timeout": 1, **options}}

c.ServerProxy.servers = {{
    "plain": trace("plain"),
    "nested/name": trace("nested"),
    "raw": trace("raw", raw_socket_proxy=True),
    "sock": trace("sock", unix_socket=True),
    "full": trace("full", absolute_url=True),
    "external": {{"port": PORT, "launcher_entry": {{"icon_path": __file__}}}},
    "echo": {{"command": ECHO}},
    "refuses": {{"command": [sys.executable, "-c", "print('<script>alert(1)</script>'); raise SystemExit(3)"]}},
}}
"""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def configuration(listener: Listener, more: str = "") -> str:
    return f"PORT = {listener.port}\n{SERVERS}\n{more}"


@pytest.fixture(scope="module", params=["unauthenticated-access-allowed", "unauthenticated-access-refused"])
def jupyter(request, start_jupyter, listener: Listener) -> Jupyter:
    allow = request.param.endswith("allowed")
    hashed = passwd(PASSWORD, "sha1")
    more = f"""
c.ServerApp.allow_unauthenticated_access = {allow}
c.PasswordIdentityProvider.hashed_password = {hashed!r}
"""
    server: Jupyter = start_jupyter(configuration(listener, more), base_url="/base/")
    return server


def entries(listener: Listener) -> list[str]:
    port = listener.port
    return [
        "plain", "plain/", "plain/x/y?a=b", "nested/name", "nested/name/x", "raw", "raw/", "raw/x", "sock/x", "full",
        "full/x", "external", "external/", "external/x", f"proxy/{port}", f"proxy/{port}/", f"proxy/{port}/x?y",
        f"proxy/absolute/{port}", f"proxy/absolute/{port}/x", f"proxy/127.0.0.1:{port}", f"proxy/127.0.0.1:{port}/x",
        f"proxy/localhost:{port}/x", f"proxy/absolute/127.0.0.1:{port}/x", f"proxy/evil.example:{port}/", "proxy/0/",
        "proxy/70000/x", f"proxy/u%40127.0.0.1:{port}/",
    ]  # fmt: skip


def nothing_happened(jupyter: Jupyter, listener: Listener) -> bool:
    return not listener.dialled() and not list(jupyter.directory.glob("started-*"))


def cookie_of(answer: Answer) -> str:
    """The login cookie that an answer sets."""
    return next(c.partition(";")[0] for c in answer.get_all("Set-Cookie") if c.startswith("username-"))


def ask(jupyter: Jupyter, method: str, path: str, host: str, token: str = "") -> int:
    """The status of a request with a Host field of its own."""
    connection = jupyter.connect()
    connection.putrequest(method, jupyter.path(path), skip_host=True)
    connection.putheader("Host", host)
    if token:
        connection.putheader("Authorization", f"token {token}")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


# ---- not logged in


@pytest.mark.behaviour("S1")
def test_every_entry_refuses_every_method(jupyter: Jupyter, listener: Listener) -> None:
    for path in entries(listener):
        for method in METHODS:
            answer = jupyter.request(method, path, login=False)
            assert answer.status == 403, (method, path)
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("upgrade", ["websocket", "tcp", "h2c"])
def test_every_entry_refuses_upgrades(jupyter: Jupyter, listener: Listener, upgrade: str) -> None:
    for path in entries(listener):
        for more in ({}, PAGE, {"Sec-Fetch-Mode": "websocket"}):
            answer = jupyter.get(path, login=False, headers={**HANDSHAKE, "Upgrade": upgrade, **more})
            assert answer.status == 403, path
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("headers", [PAGE, {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"}])
def test_navigations_go_to_the_login_page_and_back(jupyter: Jupyter, listener: Listener, headers: dict) -> None:
    for path in [*entries(listener), "server-proxy/servers-info", "server-proxy/icon/external"]:
        for method in ("GET", "HEAD"):
            answer = jupyter.request(method, path, login=False, headers=headers)
            assert answer.status == 302, (method, path)
            location = answer.get("Location") or ""
            assert location == f"/base/login?{urlencode({'next': jupyter.path(path)})}"
        answer = jupyter.request("POST", path, login=False, headers=headers, body=b"x")
        assert answer.status in (403, 405), path
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("mode", ["cors", "no-cors", "same-origin"])
def test_what_is_no_navigation_gets_403(jupyter: Jupyter, listener: Listener, mode: str) -> None:
    for path in [*entries(listener), "server-proxy/servers-info", "server-proxy/icon/external"]:
        assert jupyter.get(path, login=False, headers={**PAGE, "Sec-Fetch-Mode": mode}).status == 403, path


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("path", ["server-proxy/servers-info", "server-proxy/icon/external", "server-proxy/icon/none"])
def test_launchers_are_told_nothing(jupyter: Jupyter, path: str) -> None:
    for method in METHODS:
        answer = jupyter.request(method, path, login=False)
        assert answer.status in (403, 405), method
        assert b"nested" not in answer.body
    assert jupyter.get(path, login=False).status == 403


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("size", [1, 100_000, 20_000_000])
@pytest.mark.parametrize("path", ["plain/x", "raw/", "proxy/{port}/x"])
def test_a_refused_body_breaks_nothing(jupyter: Jupyter, listener: Listener, path: str, size: int) -> None:
    path = path.format(port=listener.port)
    with jupyter.raw() as client:
        head = f"POST {jupyter.path(path)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
        answers = client.makefile("rb")
        client.sendall(head.encode())
        try:
            client.sendall(b"x" * size)
        except OSError:
            pass  # it may close early, but the answer comes all the same
        assert answers.readline().startswith(b"HTTP/1.1 403 ")
    assert jupyter.get("echo/after").status == 200
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize(
    "framing",
    ["Content-Length: 1000000000000", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"],
)
def test_a_refusal_does_not_wait_for_the_body(jupyter: Jupyter, listener: Listener, framing: str) -> None:
    for path in ("plain/x", f"proxy/{listener.port}/x"):
        with jupyter.raw() as client:
            client.sendall(f"PUT {jupyter.path(path)} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
            assert client.makefile("rb").readline().startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 "))
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S1")
def test_the_connection_of_a_refused_post_can_be_used_again(jupyter: Jupyter) -> None:
    connection = jupyter.connect()
    for headers, status in (({}, 403), ({"Authorization": f"token {jupyter.token}"}, 200)) * 2:
        connection.request("POST", jupyter.path("echo/x"), body=b"x" * 100_000, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


@pytest.mark.behaviour("S1")
def test_wrong_credentials_do_not_pass(jupyter: Jupyter, listener: Listener) -> None:
    name = cookie_of(jupyter.get("api/status")).partition("=")[0]
    for path in (f"proxy/{listener.port}/x", "plain/x"):
        for query, headers in (
            ("?token=wrong", {}),
            ("?token=", {}),
            ("", {"Authorization": "token wrong"}),
            ("", {"Authorization": f"Basic {jupyter.token}"}),
            ("", {"Cookie": f"{name}=2|1:0|10:1700000000|8:username|4:eHh4|0000"}),
            ("", {"Cookie": f"token={jupyter.token}"}),
            ("", {"X-Forwarded-User": "root", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}),
        ):
            assert jupyter.get(path + query, login=False, headers=headers).status == 403
    assert nothing_happened(jupyter, listener)


# ---- logged in


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("path", ["echo/", "echo/x", "echo"])
def test_a_token_in_the_query_sets_a_cookie_that_suffices(jupyter: Jupyter, path: str) -> None:
    answer = jupyter.get(f"{path}?token={jupyter.token}", login=False)
    assert answer.status == (302 if path == "echo" else 200)
    cookie = cookie_of(answer)
    assert jupyter.get("echo/y", login=False, headers={"Cookie": cookie}).json()["target"] == "/y"
    assert jupyter.request("POST", "echo/y", login=False, headers={"Cookie": cookie}, body=b"x").status == 200
    assert jupyter.get("echo/ws", login=False, headers={"Cookie": cookie, **HANDSHAKE}).status == 101


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("header", ["token {}", "Bearer {}", "Token {}"])
def test_authorization(jupyter: Jupyter, header: str) -> None:
    answer = jupyter.get("echo/x", login=False, headers={"Authorization": header.format(jupyter.token)})
    assert answer.status == 200


@pytest.mark.behaviour("S1")
def test_the_password_form(jupyter: Jupyter) -> None:
    for password, status in (("wrong", 401), (PASSWORD, 302)):
        form = jupyter.get("login?next=/base/echo/z", login=False, headers=PAGE)
        xsrf = next(c.partition(";")[0] for c in form.get_all("Set-Cookie") if c.startswith("_xsrf"))
        fields = urlencode({"password": password, "_xsrf": xsrf.partition("=")[2]}).encode()
        headers = {"Cookie": xsrf, "Content-Type": "application/x-www-form-urlencoded"}
        answer = jupyter.request("POST", "login?next=/base/echo/z", body=fields, headers=headers, login=False)
        assert answer.status == status
    assert answer.get("Location") == "/base/echo/z"
    assert jupyter.get("echo/z", login=False, headers={"Cookie": cookie_of(answer)}).status == 200


def test_a_jupyter_without_authentication_lets_everybody_in(start_jupyter) -> None:
    """Administrators may leave it to something in front of Jupyter."""
    more = "c.IdentityProvider.token = ''\nc.ServerProxy.servers = {'echo': {'command': ECHO}}\n"
    jupyter = start_jupyter(more, environment={"JUPYTER_TOKEN": ""})
    for method in ("GET", "POST"):
        assert jupyter.request(method, "echo/x?token=mine", login=False).json()["target"] == "/x?token=mine"
    assert jupyter.get("echo/ws", headers=HANDSHAKE, login=False).status == 101
    assert jupyter.get("echo/ws", headers={**HANDSHAKE, "Origin": "http://evil.example"}, login=False).status == 403


# ---- origins


@pytest.fixture(scope="module")
def with_origin(start_jupyter, listener: Listener) -> Callable[[str], Jupyter]:
    started: dict[str, Jupyter] = {}

    def get(config: str) -> Jupyter:
        if config not in started:
            started[config] = start_jupyter(configuration(listener, config), base_url="/base/")
        return started[config]

    return get


PATTERN = r"c.ServerApp.allow_origin_pat = r'https://[a-z]+\.good\.example'"


@pytest.mark.behaviour("S2")
@pytest.mark.parametrize(
    ("config", "origin", "allowed"),
    [
        ("", "http://evil.example", False),
        ("", "null", False),
        ("", "HOST", True),
        ("", None, True),
        ("", "http://127.0.0.1:1", False),
        ("c.ServerApp.allow_origin = 'https://good.example'", "https://good.example", True),
        ("c.ServerApp.allow_origin = 'https://good.example'", "https://good.example.evil.example", False),
        ("c.ServerApp.allow_origin = 'https://good.example'", "http://good.example", False),
        (PATTERN, "https://a.good.example", True),
        (PATTERN, "https://a.good.example.evil.example", False),
        (PATTERN, "https://evil.example/https://a.good.example", False),
        ("c.ServerApp.allow_origin = '*'", "http://evil.example", True),
    ],
)
def test_origins_of_websockets(
    with_origin: Callable[[str], Jupyter], listener: Listener, config: str, origin: str | None, allowed: bool
) -> None:
    jupyter = with_origin(config)
    headers = {**HANDSHAKE, "Cookie": cookie_of(jupyter.get("api/status"))}
    if origin is not None:
        headers["Origin"] = origin.replace("HOST", f"http://127.0.0.1:{jupyter.port}")
    assert jupyter.get("echo/ws", login=False, headers=headers).status == (101 if allowed else 403)
    if not allowed:
        for path in entries(listener):
            assert jupyter.get(path, login=False, headers=headers).status == 403
            assert jupyter.get(path, login=False, headers={**headers, "Upgrade": "other"}).status == 403
        assert nothing_happened(jupyter, listener)


# ---- hosts


@pytest.mark.behaviour("S5")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "[::2]"])
def test_foreign_hosts_are_refused(jupyter: Jupyter, listener: Listener, host: str) -> None:
    for path in [*entries(listener), "server-proxy/servers-info", "server-proxy/icon/external"]:
        assert ask(jupyter, "GET", path, host, jupyter.token) == 403, path
    assert ask(jupyter, "POST", "plain/", host, jupyter.token) == 403
    assert nothing_happened(jupyter, listener)


@pytest.mark.behaviour("S5")
def test_local_hosts_pass(jupyter: Jupyter) -> None:
    for host in ("localhost", "localhost:1", "127.0.0.1", "127.1.2.3:80", "[::1]:80"):
        assert ask(jupyter, "GET", "echo/x", host, jupyter.token) == 200, host
        assert ask(jupyter, "GET", "echo/x", "evil.example", jupyter.token) == 403
        assert ask(jupyter, "GET", "echo/x", host, jupyter.token) == 200, host


@pytest.mark.behaviour("S5")
@pytest.mark.parametrize(
    "config", ["c.ServerApp.local_hostnames = ['localhost', 'lab.example']", "c.ServerApp.allow_remote_access = True"]
)
def test_more_hosts_can_be_allowed(with_origin: Callable[[str], Jupyter], config: str) -> None:
    jupyter = with_origin(config)
    assert ask(jupyter, "GET", "echo/x", "lab.example:8888", jupyter.token) == 200
    assert ask(jupyter, "GET", "echo/x", "other.example", jupyter.token) == (200 if "remote" in config else 403)


# ---- Jupyter's own extension points

CUSTOM = """
import pathlib
from jupyter_server.auth import Authorizer, IdentityProvider, User

def decide(handler, user, action, resource):
    with pathlib.Path("asked").open("a") as file:
        print(user.username, action, resource, handler.request.method, file=file)
    return action == "read"

class SyncAuthorizer(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return decide(handler, user, action, resource)

class AsyncAuthorizer(Authorizer):
    async def is_authorized(self, handler, user, action, resource):
        return decide(handler, user, action, resource)

class AsyncProvider(IdentityProvider):
    async def get_user(self, handler):
        name = handler.request.headers.get("X-Test-User")
        return User(name) if name else None
"""


@pytest.fixture(scope="module", params=["sync", "async"])
def custom(request, start_jupyter, listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    directory = tmp_path_factory.mktemp("modules")
    (directory / "custom_auth.py").write_text(CUSTOM)
    more = f"sys.path.insert(0, {str(directory)!r})\n"
    if request.param == "sync":
        more += "c.ServerApp.authorizer_class = 'custom_auth.SyncAuthorizer'\n"
    else:
        more += "c.ServerApp.authorizer_class = 'custom_auth.AsyncAuthorizer'\n"
        more += "c.ServerApp.identity_provider_class = 'custom_auth.AsyncProvider'\n"
    server: Jupyter = start_jupyter(configuration(listener, more))
    return server


USER = {"X-Test-User": "ada"}


@pytest.mark.behaviour("S1")
def test_the_authorizer_decides_by_method(custom: Jupyter, listener: Listener) -> None:
    asked = custom.directory / "asked"
    for method, action in [
        ("GET", "read"), ("HEAD", "read"), ("OPTIONS", "read"), ("PROPFIND", "read"), ("REPORT", "read"),
        ("POST", "write"), ("PUT", "write"), ("PATCH", "write"), ("DELETE", "write"), ("MKCOL", "write"),
        ("BREW", "write"),
    ]:  # fmt: skip
        asked.unlink(missing_ok=True)
        answer = custom.request(method, "echo/x" if action == "read" else "plain/x", headers=USER)
        assert answer.status == (200 if action == "read" else 403), method
        assert re.fullmatch(rf"\w+ {action} server-proxy {method}\n", asked.read_text())
    for path in ("plain/", "raw/", f"proxy/{listener.port}/"):
        asked.unlink(missing_ok=True)
        assert custom.get(path, headers={**USER, **HANDSHAKE}).status == 403
        assert " execute server-proxy GET" in asked.read_text()
    assert nothing_happened(custom, listener)


@pytest.mark.behaviour("S1")
def test_an_asynchronous_identity_provider_is_waited_for(custom: Jupyter, listener: Listener) -> None:
    for path in (*entries(listener), "server-proxy/servers-info"):
        assert custom.get(path, login=False).status == 403, path
    assert nothing_happened(custom, listener)
    assert custom.get("echo/x", headers=USER).status == 200
    assert custom.get("server-proxy/servers-info", headers=USER).status == 200


@pytest.mark.behaviour("S9")
def test_the_page_of_a_denial_holds_no_token(custom: Jupyter) -> None:
    answer = custom.get("plain/", headers={**USER, **PAGE, **HANDSHAKE, "Sec-Fetch-Mode": "navigate"})
    assert answer.status == 403
    assert custom.token not in answer.text


@pytest.mark.behaviour("S9")
def test_the_page_of_a_refusal_holds_no_token(jupyter: Jupyter) -> None:
    for path in ("proxy/evil.example:80/", "proxy/0/", "proxy/70000/", "server-proxy/icon/none"):
        answer = jupyter.get(path, headers=PAGE)
        assert answer.status in (400, 403, 404), path
        assert "<html" in answer.text
        assert jupyter.token not in answer.text, path


# ---- pages and logs


@pytest.mark.behaviour("S9")
@pytest.mark.parametrize("headers", [PAGE, {}, {"Accept": "application/json"}])
@pytest.mark.parametrize(
    "path",
    [
        "refuses/", "refuses/<script>alert(1)</script>", "proxy/<script>:80/", "proxy/0/<script>alert(1)</script>",
        "proxy/%3Cscript%3Ealert(1)%3C%2Fscript%3E:80/", "server-proxy/icon/<script>alert(1)</script>",
        "proxy/FREE/<script>alert(1)</script>",
    ],
)  # fmt: skip
def test_error_pages_escape_everything(jupyter: Jupyter, path: str, headers: dict) -> None:
    answer = jupyter.get(path.replace("FREE", str(free_port())), headers=headers)
    assert answer.status in (400, 404, 502, 503)
    assert jupyter.token not in answer.text
    kind = answer.get("Content-Type") or ""
    if kind.startswith("text/html"):
        policy = answer.get("Content-Security-Policy") or ""
        assert policy.startswith("default-src 'none'; ")
        assert "<script>alert" not in answer.text.lower()
        for script in re.findall(r"<script[^>]*>(.*?)</script", answer.text, re.DOTALL | re.IGNORECASE):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"script-src 'sha256-{digest}';" in policy, "the page has a script that is not its own"
    else:
        assert kind.startswith(("text/plain", "application/json"))
        assert answer.get("X-Content-Type-Options") == "nosniff"


@pytest.mark.behaviour("C5")
def test_no_credential_gets_into_the_log(jupyter: Jupyter) -> None:
    cookie = cookie_of(jupyter.get("api/status"))
    port = free_port()
    for path in ("echo", "echo/status/500", f"proxy/{port}/", "proxy/evil.example:1/", "refuses/", "proxy/0/"):
        jupyter.get(f"{path}?a=b&token={jupyter.token}", login=False)
        jupyter.get(path, login=False, headers={"Cookie": f"{cookie}; app=app-secret", "Accept": "text/html"})
        jupyter.get(path, headers={**HANDSHAKE, "Referer": f"http://localhost/?token={jupyter.token}"})
        jupyter.get(f"{path}?token=wrong-secret", login=False)
    log = jupyter.log()
    assert lines_of(log, "status/500")
    for secret in (jupyter.token, cookie.partition("=")[2], quote(cookie.partition("=")[2]), "app-secret"):
        assert secret not in log, [line for line in log.splitlines() if secret in line][:2]
    assert "wrong-secret" not in log


def test_jupyter_finds_no_handler_without_authentication(jupyter: Jupyter) -> None:
    """``ServerApp.allow_unauthenticated_access = False`` looks at all handlers when it starts."""
    assert not lines_of(jupyter.log(), r"\[W .*(authenticat|jupyter_server_proxy\.)")
    assert not lines_of(jupyter.log(), "Traceback")
