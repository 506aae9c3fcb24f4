"""H5: bodies of any size stream both ways, in constant memory of Jupyter."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from harness import Jupyter

SIZE = 2 << 30
BLOCK = bytes(range(256)) * 4096  # 1 MiB
MAY_GROW = 16 << 20


def content() -> Iterator[bytes]:
    """2 GiB that are not the same everywhere: each block begins with its number."""
    for number in range(SIZE // len(BLOCK)):
        yield number.to_bytes(8, "big") + BLOCK[8:]


@pytest.fixture(scope="module")
def digest() -> str:
    value = hashlib.blake2b()
    for block in content():
        value.update(block)
    return value.hexdigest()


@pytest.fixture
def bulk_port() -> Iterator[int]:
    """A backend that sends the content to a GET, and answers an upload with the hash of what it received."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def serve(listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock:
            stream = sock.makefile("rwb", buffering=1 << 20)
            request = stream.readline()
            while stream.readline() != b"\r\n":
                pass
            if request.startswith(b"GET"):
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                for block in content():
                    stream.write(block)
            else:
                value = hashlib.blake2b()
                left = SIZE
                while left:
                    piece = stream.read1(min(left, 1 << 20))
                    value.update(piece)
                    left -= len(piece)
                answer = value.hexdigest().encode()
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            stream.flush()


class PeakMemory:
    """Watches the resident memory of a process; on Linux by its high-water mark, which nothing escapes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._clear = Path(f"/proc/{pid}/clear_refs")

    def __enter__(self) -> PeakMemory:
        if self._clear.exists():
            self._clear.write_text("5")  # resets VmHWM
        self.before = self._process.memory_info().rss
        return self

    def __exit__(self, *exception: object) -> None:
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            peak = int(line.split()[1]) * 1024
        else:
            peak = self._process.memory_info().rss
        self.growth = peak - self.before


@pytest.fixture(scope="module")
def jupyter(start_jupyter):
    server = start_jupyter("")
    server.get("api/status")
    return server


def warm_up(jupyter: Jupyter, port: int) -> None:
    """Whatever the first request allocates once is no growth."""
    assert jupyter.get(f"proxy/{port}/").status == 200


@pytest.mark.timeout(300)
def test_h5_two_gibibytes_down(jupyter: Jupyter, bulk_port: int, echo_port: int, digest: str) -> None:
    warm_up(jupyter, echo_port)
    connection = jupyter.connect()
    with PeakMemory(jupyter.process.pid) as memory:
        connection.request(
            "GET", jupyter.path(f"proxy/{bulk_port}/"), headers={"Authorization": f"token {jupyter.token}"}
        )
        response = connection.getresponse()
        assert response.getheader("Content-Length") == str(SIZE)
        value = hashlib.blake2b()
        while piece := response.read1(1 << 20):
            value.update(piece)
    connection.close()
    assert value.hexdigest() == digest
    assert memory.growth < MAY_GROW, f"Jupyter grew by {memory.growth / 2**20:.1f} MiB"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_h5_two_gibibytes_up(jupyter: Jupyter, bulk_port: int, echo_port: int, digest: str, chunked: bool) -> None:
    if chunked:
        port = echo_port  # understands chunks
    else:
        port = bulk_port
    warm_up(jupyter, echo_port)
    connection = jupyter.connect(timeout=240)
    headers = {"Authorization": f"token {jupyter.token}"}
    headers["Transfer-Encoding" if chunked else "Content-Length"] = "chunked" if chunked else str(SIZE)
    with PeakMemory(jupyter.process.pid) as memory:
        connection.request("POST", jupyter.path(f"proxy/{port}/"), content(), headers, encode_chunked=chunked)
        answer = connection.getresponse().read()
    connection.close()
    if chunked:
        expected = hashlib.sha256()
        for block in content():
            expected.update(block)
        assert expected.hexdigest().encode() in answer
    else:
        assert answer.decode() == digest
    assert memory.growth < MAY_GROW, f"Jupyter grew by {memory.growth / 2**20:.1f} MiB"
