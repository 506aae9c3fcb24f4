"""Fixtures: Jupyter servers that end with the test, and the echo application started by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from harness import APPS, Jupyter, background, free_port, listens
from wire import Backend

StartJupyter = Callable[..., Jupyter]


@pytest.fixture(scope="module")
def start_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartJupyter]:
    """Starts Jupyter servers (arguments as for ``harness.Jupyter``) that end with the module."""
    servers: list[Jupyter] = []

    def start(config: str = "", **options: Any) -> Jupyter:
        server = Jupyter(tmp_path_factory.mktemp("jupyter") / "server", config, **options)
        servers.append(server)
        return server.wait_ready()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """An origin server that does what the test tells it."""
    origin = Backend()
    yield origin
    origin.close()


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    """Port of an echo application that no proxy manages."""
    port = free_port()
    with background([sys.executable, str(APPS / "echo.py"), f"--port={port}"], lambda: listens(port)):
        yield port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for this machine, and of its key."""
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    directory: Path = tmp_path_factory.mktemp("tls")
    issued.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    return str(directory / "cert.pem"), str(directory / "key.pem")
