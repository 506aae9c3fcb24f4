"""H23: servers that speak HTTPS; their certificates are checked unless the configuration says otherwise."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from harness import Jupyter, free_port
from wire import Backend, Wire, connect

pytestmark = pytest.mark.behaviour("H23")
OK = ("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a certificate for localhost, one for elsewhere, and one for a client."""
    directory: Path = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(directory / "ca.pem"))
    for name in ("localhost", "elsewhere.example", "client"):
        ca.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(directory / f"{name}.pem"))
    return directory


def listen(files: Path, name: str, *, client_certificate: bool = False) -> Backend:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / f"{name}.pem")
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files / "ca.pem")
    return Backend(context=context)


@pytest.fixture(scope="module")
def backends(files: Path) -> Iterator[dict[str, Backend]]:
    made = {
        "local": listen(files, "localhost"),
        "elsewhere": listen(files, "elsewhere.example"),
        "mutual": listen(files, "localhost", client_certificate=True),
        "plain": Backend(),
    }
    yield made
    for backend in made.values():
        backend.close()


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], backends: dict[str, Backend], files: Path) -> Jupyter:
    ca = str(files / "ca.pem")
    at = {name: backend.port for name, backend in backends.items()}
    return start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "good": {{"port": {at["local"]}, "tls": {{"ca": {ca!r}}}}},
    "unknown-ca": {{"port": {at["local"]}, "tls": True}},
    "other-name": {{"port": {at["elsewhere"]}, "tls": {{"ca": {ca!r}}}}},
    "named": {{"port": {at["elsewhere"]}, "tls": {{"ca": {ca!r}, "server_name": "elsewhere.example"}}}},
    "unchecked": {{"port": {at["elsewhere"]}, "tls": {{"verify": False}}}},
    "mutual": {{"port": {at["mutual"]}, "tls": {{"ca": {ca!r}, "certificate": {str(files / "client.pem")!r}}}}},
    "not-tls": {{"port": {at["plain"]}, "tls": {{"verify": False}}}},
    "both": {{"command": ECHO, "unix_socket": True, "tls": True}},
    "missing": {{"port": 1, "tls": {{"ca": "/nonexistent.pem"}}}},
    "nobody": {{"port": {free_port()}, "tls": True}},
    "starting": {{"command": [sys.executable, {str(Path(__file__).parent / "apps" / "tls.py")!r}, "{{port}}",
                  {str(files / "localhost.pem")!r}], "tls": {{"ca": {ca!r}}}, "timeout": 30}},
    "distrusted": {{"command": [sys.executable, {str(Path(__file__).parent / "apps" / "tls.py")!r}, "{{port}}",
                  {str(files / "localhost.pem")!r}], "tls": True, "timeout": 30}},
}}
"""
    )


@pytest.fixture
def dial(jupyter: Jupyter, backends: dict[str, Backend]) -> Iterator[Callable[[str], Wire]]:
    wires: list[Wire] = []

    def connect_client(name: str) -> Wire:
        wires.append(connect(jupyter, f"{name}/"))
        wires[-1].send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
        return wires[-1]

    yield connect_client
    for wire in wires:
        wire.close()
    for backend in backends.values():
        backend.drop_connections()


@pytest.mark.parametrize(
    ("name", "backend"), [("good", "local"), ("named", "elsewhere"), ("unchecked", "elsewhere"), ("mutual", "mutual")]
)
def test_h23_requests_pass(dial: Callable[[str], Wire], backends: dict[str, Backend], name: str, backend: str) -> None:
    client = dial(name)
    server = backends[backend].accept()
    head = server.head()
    assert head.start == "GET /x HTTP/1.1"
    assert head.get("X-Forwarded-Proto") == "http"  # as the client sees it
    server.send(
        "HTTP/1.1 302 Found", f"Location: https://localhost:{backends[backend].port}/a", "Content-Length: 0", "", ""
    )
    assert client.response().get("Location") == f"/{name}/a"
    client.send("GET {path}again HTTP/1.1", "Host: {host}", "{auth}", "", "")
    assert server.head().start == "GET /again HTTP/1.1"  # on the same connection
    server.send(*OK)
    assert client.response().body == b"hi"


@pytest.mark.parametrize(
    ("name", "backend", "message"),
    [
        ("unknown-ca", "local", b"certificate of localhost:"),
        ("other-name", "elsewhere", b"certificate of localhost:"),
        ("not-tls", "plain", b"does not speak TLS"),
        ("nobody", "", b"Nothing answers on localhost:"),
    ],
)
def test_h23_who_is_not_trusted_gets_nothing(
    dial: Callable[[str], Wire], backends: dict[str, Backend], name: str, backend: str, message: bytes
) -> None:
    client = dial(name)
    if backend == "plain":
        backends[backend].accept().send("HTTP/1.1 400 Bad Request", "Content-Length: 0", "", "")
    elif backend:
        with pytest.raises(ssl.SSLError):
            backends[backend].accept()
    response = client.response()
    assert response.status == 502
    assert message in response.body


def test_h23_upgrades_pass(jupyter: Jupyter, backends: dict[str, Backend]) -> None:
    client = connect(jupyter, "good/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: Upgrade", "Upgrade: websocket", "", "")
    server = backends["local"].accept()
    server.head()
    server.send("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", "", "early")
    assert client.head().status == 101
    assert client.read(5) == b"early"
    client.send("ping")
    assert server.read(4) == b"ping"
    server.close()
    assert client.closed()
    client.close()
    backends["local"].drop_connections()


def test_h23_a_server_of_ours(jupyter: Jupyter) -> None:
    assert jupyter.get("starting/").text == "secure"


def test_h23_a_certificate_that_is_not_trusted_fails_the_start_at_once(jupyter: Jupyter) -> None:
    answer = jupyter.get("distrusted/", timeout=20)
    assert answer.status == 502
    assert "certificate" in answer.text
    assert "option tls" in answer.text


@pytest.mark.parametrize(
    ("name", "message"),
    [("both", "'tls' is for TCP ports"), ("missing", "option 'tls' names a file as ca that does not exist")],
)
def test_h23_wrong_options_are_told(jupyter: Jupyter, name: str, message: str) -> None:
    assert jupyter.get(name).status == 404
    assert message in jupyter.log()
