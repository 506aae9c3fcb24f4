"""Who owns the listening ports: with managers that are pretended, and some that fail."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.supervise.ports import ListeningPort
from jupyter_server_proxy.web import ports as module
from jupyter_server_proxy.web.ports import describe_ports

JUPYTER = 100


def listening(port: int, *ancestors: int, words: tuple[str, ...] = ("serve",)) -> ListeningPort:
    return ListeningPort(port, ("127.0.0.1",), ancestors[0], "python", words, 1_700_000_000.25, ancestors)


class Kernels:
    def __init__(self, **kernels: Any) -> None:
        self._kernels = kernels

    def list_kernel_ids(self) -> list[str]:
        return list(self._kernels)

    def get_kernel(self, kernel_id: str) -> Any:
        return self._kernels[kernel_id]


def kernel(**provisioner: Any) -> Any:
    return SimpleNamespace(
        kernel_name="python3", ip="127.0.0.1", ports=[5001, 5002], provisioner=SimpleNamespace(**provisioner)
    )


def local(pid: int) -> Any:
    return kernel(process=SimpleNamespace(pid=pid), pid=pid)


class Sessions:
    def __init__(self, *sessions: dict[str, Any]) -> None:
        self._sessions = sessions

    async def list_sessions(self) -> list[dict[str, Any]]:
        return list(self._sessions)


class Failing:
    """Every attribute of it, and every call, fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} today")


def terminals(**pids: int) -> Any:
    return SimpleNamespace(
        terminals={name: SimpleNamespace(ptyproc=SimpleNamespace(pid=pid)) for name, pid in pids.items()}
    )


def server(name: str, pid: int | None) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(name=name), pid=pid)


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``await describe(entries, settings, servers)``"""

    async def call(found: list[ListeningPort], settings: Any = None, servers: Any = ()) -> list[dict[str, Any]]:
        monkeypatch.setattr(module, "listening_ports", lambda: found)
        return await describe_ports(settings or {}, servers, "/user/jo/", JUPYTER)

    return call


async def test_what_is_told_of_a_port(describe: Any) -> None:
    assert await describe([listening(8000, 7, 1)]) == [
        {
            "port": 8000,
            "addresses": ["127.0.0.1"],
            "pid": 7,
            "process": "python",
            "command": "serve",
            "started": "2023-11-14T22:13:20.250Z",
            "url": "/user/jo/proxy/8000/",
            "owner": None,
        }
    ]


async def test_a_command_is_masked_before_it_is_shortened(describe: Any) -> None:
    words = ("serve", "two words", "--token=abcdefghijkl", "x" * 300)
    (port,) = await describe([listening(8000, 7, words=words)])
    assert port["command"].startswith("serve 'two words' ")
    assert "abc" not in port["command"]
    assert "***" in port["command"]
    assert len(port["command"]) == 200
    assert port["command"].endswith("x…")


async def test_a_command_of_200_characters_is_told_wholly(describe: Any) -> None:
    (port,) = await describe([listening(8000, 7, words=("x" * 200,))])
    assert port["command"] == "x" * 200


@pytest.mark.parametrize(
    ("line", "owner"),
    [
        ((9, 20, JUPYTER, 1), {"kind": "kernel", "id": "k1", "name": "python3", "notebook": "dir/a.ipynb"}),
        ((20, JUPYTER, 1), {"kind": "kernel", "id": "k1", "name": "python3", "notebook": "dir/a.ipynb"}),
        ((9, 21, JUPYTER, 1), {"kind": "kernel", "id": "k2", "name": "python3", "notebook": None}),
        ((9, 30, JUPYTER, 1), {"kind": "terminal", "name": "t1"}),
        ((40, JUPYTER, 1), {"kind": "server", "name": "echo"}),
        ((9, 8, 30, 20, JUPYTER, 1), {"kind": "terminal", "name": "t1"}),
        ((JUPYTER, 1), {"kind": "jupyter"}),
        ((9, JUPYTER, 1), {"kind": "jupyter"}),
        ((9, 1), None),
    ],
    ids=[
        "child of a kernel", "kernel", "kernel of a console", "terminal", "server", "nearest", "Jupyter",
        "child of Jupyter", "nobody's",
    ],
)  # fmt: skip
async def test_the_nearest_known_ancestor_owns_a_port(
    describe: Any, line: tuple[int, ...], owner: dict[str, Any]
) -> None:
    settings = {
        "kernel_manager": Kernels(k1=local(20), k2=local(21)),
        "session_manager": Sessions(
            {"kernel": {"id": "k1"}, "type": "notebook", "path": "dir/a.ipynb"},
            {"kernel": {"id": "k2"}, "type": "console", "path": "console-1-xyz"},
            {"kernel": None, "type": "notebook", "path": "ended.ipynb"},
        ),
        "terminal_manager": terminals(t1=30),
    }
    (port,) = await describe([listening(8000, *line)], settings, [server("idle", None), server("echo", 40)])
    assert port["owner"] == owner


async def test_ports_of_a_kernels_messages_are_left_out(describe: Any) -> None:
    found = [listening(5001, 20, 1), listening(5002, 9, 20, 1), listening(5003, 20, 1), listening(5001, 30, 20, 1)]
    settings = {"kernel_manager": Kernels(k1=local(20)), "terminal_manager": terminals(t1=30)}
    ports = await describe(found, settings)
    assert [(port["port"], port["owner"]["kind"]) for port in ports] == [(5003, "kernel"), (5001, "terminal")]


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (kernel(process=None, pid=20), True),
        (kernel(pid=20), True),
        (kernel(process=None, pid=None), False),
        (kernel(), False),
        (SimpleNamespace(kernel_name="remote", ip="10.0.0.5", provisioner=SimpleNamespace(pid=20)), False),
        (SimpleNamespace(kernel_name="gateway"), False),
        (Failing(), False),
    ],
    ids=["found again", "number only", "ended", "without process", "on another machine", "no provisioner", "fails"],
)
async def test_kernels_of_all_kinds(describe: Any, found: Any, known: bool) -> None:
    settings = {"kernel_manager": Kernels(odd=found, plain=local(21))}
    ports = await describe([listening(8000, 20, 1), listening(8001, 21, 1)], settings)
    assert [port["owner"] and port["owner"]["id"] for port in ports] == ["odd" if known else None, "plain"]


@pytest.mark.parametrize("failing", ["kernel_manager", "session_manager", "terminal_manager"])
async def test_a_manager_that_fails_is_passed_over(
    describe: Any, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {
        "kernel_manager": Kernels(k1=local(20)),
        "session_manager": Sessions({"kernel": {"id": "k1"}, "type": "notebook", "path": "a.ipynb"}),
        "terminal_manager": terminals(t1=30),
    }
    with caplog.at_level(logging.DEBUG, logger=module.__name__):
        ports = await describe(
            [listening(8000, 20, 1), listening(8001, 30, 1), listening(8002, 40, 1)],
            {**settings, failing: Failing()},
            [server("echo", 40)],
        )
    kinds = [port["owner"] and port["owner"]["kind"] for port in ports]
    notebook = "a.ipynb" if failing != "session_manager" else None
    assert kinds == [
        "kernel" if failing != "kernel_manager" else None,
        "terminal" if failing != "terminal_manager" else None,
        "server",
    ]
    assert failing == "kernel_manager" or ports[0]["owner"]["notebook"] == notebook
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.DEBUG, True)]
