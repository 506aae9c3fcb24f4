"""The journey to an application that somebody else started, through ``/proxy/<port>``: HTTP both ways."""

from __future__ import annotations

import hashlib
import json
import socket
import time

import pytest
from harness import Jupyter, free_port, wait_until


@pytest.fixture(scope="module")
def jupyter(start_jupyter):
    return start_jupyter("", base_url="/user/a%20b/")


def test_get(jupyter: Jupyter, echo_port: int) -> None:
    answer = jupyter.get(f"proxy/{echo_port}/some/path?x=1")
    assert answer.status == 200
    assert answer.get("X-Echo") == "yes"
    assert answer.json()["target"] == "/some/path?x=1"


def test_absolute(jupyter: Jupyter, echo_port: int) -> None:
    path = f"proxy/absolute/{echo_port}/some/path?x=1"
    assert jupyter.get(path).json()["target"] == jupyter.path(path)


def test_host_and_port(jupyter: Jupyter, echo_port: int) -> None:
    assert jupyter.get(f"proxy/127.0.0.1:{echo_port}/a").json()["target"] == "/a"
    path = f"proxy/absolute/localhost:{echo_port}/a"
    assert jupyter.get(path).json()["target"] == jupyter.path(path)


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb%3Fc%23d",
        "//x;y=1//",
        "/%2e%2e/z",
        "/%C3%A9%FF",
        "/a+b%2B",
        "/?",
        "/?a=%26&&b",
        "/x?y?z",
        "/~a:@!$&'()*,=-._",
    ],
)
def test_h17_targets_pass_byte_for_byte(jupyter: Jupyter, echo_port: int, target: str) -> None:
    assert jupyter.get(f"proxy/{echo_port}{target}").json()["target"] == target


def test_missing_slash_is_added_and_keeps_the_query(jupyter: Jupyter, echo_port: int) -> None:
    answer = jupyter.get(f"proxy/{echo_port}?a=b")
    assert answer.status == 302
    assert answer.get("Location") == jupyter.path(f"proxy/{echo_port}/?a=b")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCOL"])
def test_h13_all_methods_with_and_without_body(jupyter: Jupyter, echo_port: int, method: str) -> None:
    for body in (None, b"", b"some body"):
        answer = jupyter.request(method, f"proxy/{echo_port}/m", body=body)
        assert answer.status == 200
        assert answer.json()["method"] == method
        assert answer.json()["sha256"] == hashlib.sha256(body or b"").hexdigest()


def test_h11_head_keeps_the_length(jupyter: Jupyter, echo_port: int) -> None:
    answer = jupyter.request("HEAD", f"proxy/{echo_port}/m")
    assert answer.status == 200
    assert int(answer.get("Content-Length") or 0) > 100
    assert answer.body == b""


@pytest.mark.parametrize("code", [200, 204, 304, 404, 500, 503])
def test_h12_statuses_pass_and_nothing_is_invented(jupyter: Jupyter, echo_port: int, code: int) -> None:
    answer = jupyter.get(f"proxy/{echo_port}/status/{code}")
    assert answer.status == code
    assert len(answer.get_all("Date")) == len(answer.get_all("Server")) == 1
    if code in (204, 304):
        assert answer.body == b""
    else:
        assert answer.text == f"status {code}"


def test_h7_repeated_fields_survive(jupyter: Jupyter, echo_port: int) -> None:
    cookies = jupyter.get(f"proxy/{echo_port}/cookies").get_all("Set-Cookie")
    assert cookies[:2] == ["one=1; Path=/", "two=2; HttpOnly"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/login?x=1", "{prefix}/login?x=1"),
        ("{prefix}/there", "{prefix}/there"),
        ("relative", "relative"),
        ("//other.example/x", "//other.example/x"),
        ("http://other.example/x", "http://other.example/x"),
        ("http://HOST/y", "{prefix}/y"),
        ("http://127.0.0.1:{port}/y", "{prefix}/y"),
        ("http://localhost:{port}", "{prefix}/"),
    ],
)
def test_h21_location_is_rewritten_once(jupyter: Jupyter, echo_port: int, location: str, expected: str) -> None:
    from urllib.parse import quote

    prefix = jupyter.path(f"proxy/{echo_port}")
    location = location.replace("{prefix}", prefix).replace("{port}", str(echo_port))
    answer = jupyter.get(f"proxy/{echo_port}/redirect?to={quote(location, safe='')}")
    assert answer.get("Location") == expected.replace("{prefix}", prefix)


def test_h6_pieces_are_passed_on_at_once(jupyter: Jupyter, echo_port: int) -> None:
    connection = jupyter.connect()
    connection.putrequest("GET", jupyter.path(f"proxy/{echo_port}/sse"))
    connection.putheader("Authorization", f"token {jupyter.token}")
    connection.endheaders()
    response = connection.getresponse()
    assert [response.readline() + response.readline() for _ in range(3)] == [b"data: %d\n\n" % n for n in range(3)]
    connection.close()  # the stream had not ended: all three came while it was open


def test_h9_a_client_that_leaves_ends_the_request_at_the_backend(jupyter: Jupyter, echo_port: int) -> None:
    cancelled = f"proxy/{echo_port}/slow-cancelled"
    before = jupyter.get(cancelled).json()["cancelled"]
    connection = jupyter.connect()
    connection.putrequest("GET", jupyter.path(f"proxy/{echo_port}/slow/20"))
    connection.putheader("Authorization", f"token {jupyter.token}")
    connection.endheaders()
    time.sleep(0.5)
    connection.close()
    wait_until(
        lambda: jupyter.get(cancelled).json()["cancelled"] == before + 1, "the backend to see the client leave", 10
    )
    assert " 499 GET " in jupyter.log()


def test_h5_chunked_upload(jupyter: Jupyter, echo_port: int) -> None:
    pieces = [b"x" * 70_000, b"y", b"z" * 200_000]
    connection = jupyter.connect()
    connection.putrequest("POST", jupyter.path(f"proxy/{echo_port}/up"))
    connection.putheader("Authorization", f"token {jupyter.token}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(iter(pieces), encode_chunked=True)
    told = json.loads(connection.getresponse().read())
    assert told["sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()
    connection.close()


def test_keep_alive_many_requests_on_one_connection(jupyter: Jupyter, echo_port: int) -> None:
    connection = jupyter.connect()
    for number in range(50):
        body = b"b" * number
        connection.request(
            "POST" if number % 2 else "GET",
            jupyter.path(f"proxy/{echo_port}/{number}"),
            body=body if number % 2 else None,
            headers={"Authorization": f"token {jupyter.token}"},
        )
        response = connection.getresponse()
        assert json.loads(response.read())["target"] == f"/{number}"
    connection.close()


def test_h15_expect_100_continue(jupyter: Jupyter, echo_port: int) -> None:
    with jupyter.raw() as sock:
        sock.sendall(
            f"POST {jupyter.path(f'proxy/{echo_port}/e')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: token {jupyter.token}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode()
        )
        interim = sock.recv(1000)
        assert interim.startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"body")
        assert receive_all(sock, b'"length": 4').startswith(b"HTTP/1.1 200 ")


def test_expect_100_continue_is_not_answered_when_nobody_listens(jupyter: Jupyter) -> None:
    with jupyter.raw() as sock:
        sock.sendall(
            f"POST {jupyter.path(f'proxy/{free_port()}/e')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: token {jupyter.token}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode()
        )
        assert receive_all(sock, None).startswith(b"HTTP/1.1 502 ")


def test_nobody_listens(jupyter: Jupyter) -> None:
    port = free_port()
    answer = jupyter.get(f"proxy/{port}/")
    assert answer.status == 502
    assert answer.text == f"Nothing answers on localhost:{port}.\n"


@pytest.mark.parametrize("port", ["0", "65536", "99999", "000000"])
def test_s7_ports_that_cannot_be(jupyter: Jupyter, port: str) -> None:
    assert jupyter.get(f"proxy/{port}/").status == 400


def test_host_not_allowed(jupyter: Jupyter) -> None:
    answer = jupyter.get("proxy/192.0.2.1:80/")
    assert answer.status == 403
    assert "host_allowlist" in answer.text


@pytest.mark.parametrize(
    "host", ["user%40localhost", "localhost%2Fx", "localhost%00", "%6C%25ocalhost", "127.0.0.1%3A80"]
)
def test_s6_hosts_that_are_none(jupyter: Jupyter, echo_port: int, host: str) -> None:
    assert jupyter.get(f"proxy/{host}:{echo_port}/").status == 400


def test_s6_a_host_is_decoded_once_before_it_is_checked(jupyter: Jupyter, echo_port: int) -> None:
    assert jupyter.get(f"proxy/%6Cocalhost:{echo_port}/a").status == 200


def receive_all(sock: socket.socket, until: bytes | None) -> bytes:
    """Read until the end, or until some bytes have come."""
    data = b""
    while until is None or until not in data:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data
