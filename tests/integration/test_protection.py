"""Options that protect: cookies, sandboxes, forwarded fields, policies for addresses, and limits; from both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from harness import Jupyter, free_port
from wire import Backend, Wire, connect

B = pytest.mark.behaviour
OK = ("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi")


@pytest.fixture(scope="module")
def origin() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture
def backend(origin: Backend) -> Iterator[Backend]:
    yield origin
    origin.drop_connections()


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], origin: Backend) -> Jupyter:
    at = f'"port": {origin.port}'
    return start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "plain": {{{at}}},
    "open": {{{at}, "forward_credentials": True}},
    "scoped": {{{at}, "scope_cookies": True}},
    "boxed": {{{at}, "sandbox": True}},
    "guarded": {{{at}, "refuse_cross_site": True}},
}}
c.ServerProxy.port_allowlist = [{origin.port}, "1-10"]
c.ServerProxy.port_denylist = [7]
c.ServerProxy.host_allowlist = ["localhost", "127.0.0.0/8", "*.invalid"]
c.ServerProxy.host_denylist = ["127.0.0.9"]
c.ServerProxy.max_requests_per_server = 2
c.ServerProxy.queue_timeout = 2
c.ServerProxy.max_response_head_size = 2048
c.ServerProxy.max_rewrite_size = 10
""",
        base_url="/base/",
    )


@pytest.fixture
def dial(jupyter: Jupyter) -> Iterator[Callable[[str], Wire]]:
    wires: list[Wire] = []

    def connect_client(prefix: str) -> Wire:
        wires.append(connect(jupyter, prefix))
        return wires[-1]

    yield connect_client
    for wire in wires:
        wire.close()


def set_cookies(client: Wire, backend: Backend, *cookies: str) -> list[str]:
    """What the client gets when the origin server sets these."""
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", *(f"Set-Cookie: {cookie}" for cookie in cookies), "Content-Length: 0", "", "")
    return client.response().get_all("Set-Cookie")


# ---- credentials


@B("C1")
def test_c1_only_the_applications_own_cookies_arrive(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    own = 'session=1; _xsrf=2; jupyterhub-session-id=3; q="4;5"'
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}; " + own, "", "")
    server = backend.accept()
    assert server.head().get_all("Cookie") == ['session=1; q="4;5"']
    server.send(*OK)
    client.response()


@B("C1", "C2")
def test_c1_forward_credentials_lets_everything_pass(
    jupyter: Jupyter, dial: Callable[[str], Wire], backend: Backend
) -> None:
    client = dial("open/")
    token = jupyter.token
    client.send(f"GET {{path}}x?token={token} HTTP/1.1", "Host: {host}", "Cookie: _xsrf=2",
                f"Authorization: token {token}", "", "")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert head.start == f"GET /x?token={token} HTTP/1.1"
    assert head.get("Cookie") == "_xsrf=2"
    assert head.get("Authorization") == f"token {token}"
    server.send("HTTP/1.1 200 OK", "Set-Cookie: _xsrf=3", "Content-Length: 0", "", "")
    assert "_xsrf=3" in client.response().get_all("Set-Cookie")


@B("C2")
def test_c2_the_applications_own_token_arrives(jupyter: Jupyter, dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    client.send("GET {path}x?token=own&a=%20 HTTP/1.1", "Host: {host}", "{auth}", "Authorization: Bearer own", "", "")
    server = backend.accept()
    head = server.head()
    assert head.start == "GET /x?token=own&a=%20 HTTP/1.1"
    assert head.get("Authorization") == "Bearer own"
    server.send(*OK)
    client.response()


@B("C2")
def test_c2_jupyters_token_does_not(jupyter: Jupyter, dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    token = jupyter.token
    client.send(f"GET {{path}}x?a=%20&token={token}&b HTTP/1.1", "Host: {host}", f"Authorization: token {token}",
                f"Referer: http://{{host}}/lab?token={token}", "", "")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert head.start == "GET /x?a=%20&b HTTP/1.1"
    assert head.get("Authorization") is None
    assert token not in str(head.fields)
    server.send(*OK)
    client.response()


@B("C3")
def test_c3_an_application_sets_its_own_cookies_only(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    host = client.names["host"].replace(".", "-").replace(":", "-")
    sent = ["a=1; Path=/; HttpOnly", "b=2; Domain=example.org", "_xsrf=3", f"username-{host}=4", "jupyterhub-user-x=5"]
    assert set_cookies(client, backend, *sent) == ["a=1; Path=/; HttpOnly", "b=2"]


@B("C3")
def test_c3_cookies_limited_to_the_application(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("scoped/")
    assert set_cookies(client, backend, "a=1; Path=/", "b=2") == ["a=1; Path=/base/scoped/", "b=2; Path=/base/scoped/"]


@B("C3")
def test_c3_holds_for_websockets(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: Upgrade", "Upgrade: websocket", "", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", "Set-Cookie: a=1",
                "Set-Cookie: _xsrf=1; Domain=x", "", "")  # fmt: skip
    head = client.head()
    assert head.status == 101
    assert head.get_all("Set-Cookie") == ["a=1"]


@B("C6")
def test_c6_a_sandbox_and_no_wider_service_workers(dial: Callable[[str], Wire], backend: Backend) -> None:
    box = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"
    for name, policies in (("plain/", ["default-src *"]), ("boxed/", ["default-src *", box])):
        client = dial(name)
        client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
        server = backend.accept()
        server.head()
        server.send("HTTP/1.1 200 OK", "Service-Worker-Allowed: /", "Content-Security-Policy: default-src *",
                    "Content-Length: 0", "", "")  # fmt: skip
        response = client.response()
        assert response.get("Service-Worker-Allowed") is None
        assert response.get_all("Content-Security-Policy") == policies
        backend.drop_connections()


CLAIMS = ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Prefix: /evil",
          "Forwarded: for=6.6.6.6", "Connection: X-Forwarded-For, X-Forwarded-Prefix, Forwarded")  # fmt: skip


@B("C7")
@pytest.mark.parametrize("upgrade", [False, True])
def test_c7_forwarded_fields_are_ours(dial: Callable[[str], Wire], backend: Backend, upgrade: bool) -> None:
    client = dial("plain/")
    more = ("Connection: Upgrade", "Upgrade: websocket") if upgrade else ()
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", *CLAIMS, *more, "", "")
    server = backend.accept()
    head = server.head()
    host, port = client.names["host"], client.names["host"].partition(":")[2]
    expected = {
        "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "X-Forwarded-Port": port,
        "X-Forwarded-Prefix": "/base/plain", "X-Forwarded-Context": "/base/plain", "X-ProxyContextPath": "/base/plain",
        "Forwarded": f'for=127.0.0.1;host="{host}";proto=http',
    }  # fmt: skip
    assert {name: head.get_all(name) for name in expected} == {name: [value] for name, value in expected.items()}
    server.send(*OK)
    client.response()


@B("C7")
def test_c7_a_trusted_proxy_is_believed(start_jupyter: Callable[..., Jupyter], backend: Backend) -> None:
    jupyter = start_jupyter(
        f"""
c.ServerProxy.servers = {{"plain": {{"port": {backend.port}}}}}
c.ServerProxy.trusted_proxies = ["127.0.0.0/8"]
"""
    )
    client = connect(jupyter, "plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "X-Forwarded-For: 6.6.6.6",
                "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /front", "Forwarded: for=6.6.6.6", "", "")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert head.get_all("X-Forwarded-For") == ["6.6.6.6, 127.0.0.1"]
    assert head.get_all("X-Forwarded-Proto") == ["https"]
    assert head.get_all("X-Forwarded-Prefix") == ["/front/plain"]
    assert (head.get("Forwarded") or "").startswith("for=6.6.6.6, for=127.0.0.1;")
    server.send(*OK)
    client.response()
    client.close()


# ---- across sites


@B("S4")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 200),
        (("Sec-Fetch-Site: same-origin",), 200),
        (("Sec-Fetch-Site: cross-site",), 403),
        (("Origin: http://{host}",), 200),
        (("Origin: http://evil.example",), 403),
        (("Origin: null",), 403),
    ],
    ids=str,
)
def test_s4_requests_of_other_sites_can_be_refused(
    dial: Callable[[str], Wire], backend: Backend, fields: tuple[str, ...], status: int
) -> None:
    client = dial("guarded/")
    client.send("POST {path}x HTTP/1.1", "Host: {host}", "{auth}", *fields, "Content-Length: 0", "", "")
    if status == 200:
        server = backend.accept()
        server.head()
        server.send(*OK)
    assert client.response().status == status
    if status != 200:
        assert backend.untouched()


@B("S4")
def test_s4_applications_defend_themselves_by_default_and_programs_are_no_sites(
    jupyter: Jupyter, dial: Callable[[str], Wire], backend: Backend
) -> None:
    evil = "Origin: http://evil.example"
    client = dial("plain/")
    client.send("POST {path}x HTTP/1.1", "Host: {host}", "{auth}", evil, "Content-Length: 0", "", "")
    server = backend.accept()
    assert server.head().get("Origin") == "http://evil.example"
    server.send(*OK)
    assert client.response().status == 200
    backend.drop_connections()
    client = dial("guarded/")
    token = f"Authorization: token {jupyter.token}"
    client.send("POST {path}x HTTP/1.1", "Host: {host}", token, evil, "Content-Length: 0", "", "")
    server = backend.accept()
    server.head()
    server.send(*OK)
    assert client.response().status == 200


@B("S3")
@pytest.mark.parametrize("upgrade", [False, True])
def test_s3_host_and_origin_belong_together(dial: Callable[[str], Wire], backend: Backend, upgrade: bool) -> None:
    client = dial("plain/")
    more = ("Connection: Upgrade", "Upgrade: websocket") if upgrade else ()
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Origin: http://{host}", *more, "", "")
    server = backend.accept()
    head = server.head()
    assert head.get_all("Host") == [client.names["host"]]
    assert head.get_all("Origin") == [f"http://{client.names['host']}"]
    assert head.get("X-Forwarded-Host") == client.names["host"]
    server.send(*OK)
    client.response()


@B("S8")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_s8_redirects_are_the_clients_to_follow(dial: Callable[[str], Wire], backend: Backend, status: int) -> None:
    elsewhere = Backend()
    client = dial("plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    target = f"http://127.0.0.1:{elsewhere.port}/secret"
    server.send(f"HTTP/1.1 {status} Go", f"Location: {target}", "Content-Length: 0", "", "")
    response = client.response()
    assert (response.status, response.get("Location")) == (status, target)
    assert elsewhere.untouched(0.1)
    elsewhere.close()


@B("W4")
def test_w4_a_message_may_have_any_size(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: Upgrade", "Upgrade: websocket", "", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", "", "")
    client.head()
    size, block = 64 * 1024 * 1024, bytes(range(256)) * 256
    frame = b"\x82\x7f" + size.to_bytes(8, "big")
    for sender, receiver in ((client, server), (server, client)):
        sender.send(frame)
        assert receiver.read(len(frame)) == frame
        for _ in range(size // len(block)):
            sender.send(block)
            assert receiver.read(len(block)) == block


# ---- addresses


@B("S6", "S7")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("proxy/7/", 403),
        ("proxy/11/", 403),
        ("proxy/8/", 502),  # allowed, and nobody is there
        ("proxy/127.0.0.9:8/", 403),
        ("proxy/127.0.0.5:8/", 502),
        ("proxy/127.0.0.5:7/", 403),
        ("proxy/128.0.0.1:8/", 403),
        ("proxy/nothing.invalid:8/", 502),
        ("proxy/invalid:8/", 403),
        ("proxy/user@localhost:8/", 400),
        ("proxy/localhost%2F:8/", 400),
        ("proxy/0/", 400),
        ("proxy/65536/", 400),
    ],
)
def test_s7_addresses_that_urls_may_name(jupyter: Jupyter, path: str, status: int) -> None:
    assert jupyter.get(path).status == status


@B("S7")
def test_s7_urls_with_addresses_can_be_switched_off(start_jupyter: Callable[..., Jupyter], backend: Backend) -> None:
    jupyter = start_jupyter(
        f'c.ServerProxy.port_allowlist = []; c.ServerProxy.servers = {{"plain": {{"port": {backend.port}}}}}'
    )
    answer = jupyter.get(f"proxy/{backend.port}/")
    assert answer.status == 403
    assert "port_allowlist" in answer.text
    assert jupyter.get(f"proxy/localhost:{backend.port}/").status == 403
    assert backend.untouched()
    client = connect(jupyter, "plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    server.send(*OK)
    assert client.response().status == 200
    client.close()


# ---- limits


def test_requests_beyond_the_limit_wait_and_are_then_refused(dial: Callable[[str], Wire], backend: Backend) -> None:
    clients = [dial("plain/") for _ in range(4)]
    for client in clients[:2]:
        client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    servers = [backend.accept() for _ in range(2)]
    clients[2].send("GET {path}late HTTP/1.1", "Host: {host}", "{auth}", "", "")
    response = clients[2].response()
    assert response.status == 503
    assert response.get("Retry-After") is not None
    clients[3].send("GET {path}in-time HTTP/1.1", "Host: {host}", "{auth}", "", "")
    servers[0].head()
    servers[0].send(*OK)
    assert servers[0].head().start == "GET /in-time HTTP/1.1"
    servers[0].send(*OK)
    assert clients[3].response().status == 200


def test_websockets_do_not_use_up_what_requests_have(dial: Callable[[str], Wire], backend: Backend) -> None:
    upgrade = ("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: Upgrade", "Upgrade: websocket", "", "")
    for _ in range(2):
        dial("plain/").send(*upgrade)
        server = backend.accept()
        server.head()
        server.send("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", "", "")
    client = dial("plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    server.send(*OK)
    assert client.response().status == 200
    third = dial("plain/")
    third.send(*upgrade)
    assert third.response().status == 503


def test_a_response_head_beyond_the_limit_is_a_502(dial: Callable[[str], Wire], backend: Backend) -> None:
    client = dial("plain/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "X-Long: " + "x" * 3000, "")
    response = client.response()
    assert response.status == 502
    assert b"2048 bytes" in response.body


def test_a_wrong_policy_is_not_ignored(start_jupyter: Callable[..., Jupyter]) -> None:
    """The extension does not load: better no proxy than one that is open."""
    jupyter = start_jupyter('c.ServerProxy.port_denylist = ["all"]')
    assert jupyter.get(f"proxy/{free_port()}").status == 404
    assert "Traceback" not in jupyter.log()
    assert (
        "switched off, because its configuration is wrong: ServerProxy.port_denylist must hold ports (8080) and ranges"
        in jupyter.log()
    )
