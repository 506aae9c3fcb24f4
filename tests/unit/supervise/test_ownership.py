"""Who listens where: tables of the system that are pretended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jupyter_server_proxy.supervise import ownership as module
from jupyter_server_proxy.supervise.ownership import Listener, describe_listener, listeners, parse_proc_net

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
ANY6, LOOP6 = "0" * 32, "00000000000000000000000001000000"
MAPPED6 = "0000000000000000FFFF00000100007F"


def entry(address: str, port: int, uid: int, state: str = "0A") -> str:
    remote = "0" * len(address)
    return f"   0: {address}:{port:04X} {remote}:0000 {state} 00000000:00000000 00:00000000 00000000 {uid:5} 0 1234 1"


@pytest.mark.parametrize("address", ["0100007F", "00000000", ANY6, LOOP6, MAPPED6])
def test_listeners_that_a_loopback_connection_reaches(address: str) -> None:
    lines = [HEAD, entry(address, 8001, 7), entry(address, 8000, 1000)]
    assert list(parse_proc_net(lines, 8000)) == [Listener(1000)]


@pytest.mark.parametrize(
    "line",
    [
        HEAD,
        "",
        entry("0100007F", 8001, 7),
        entry("0100007F", 8000, 7, state="01"),
        entry("0100A8C0", 8000, 7),
        entry("B80D0120000000000000000001000000", 8000, 7),
    ],
    ids=["head", "empty", "other port", "connected", "other address", "other address of IPv6"],
)
def test_what_is_no_listener_on_the_port(line: str) -> None:
    assert list(parse_proc_net([line], 8000)) == []


class Tables:
    """The files below /proc/net; a table that is an error raises it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tcp: list[str] | OSError = []
        self.tcp6: list[str] | OSError = []
        self.read: list[str] = []
        monkeypatch.setattr(module, "_listening_lines", self._lines)

    def _lines(self, path: Path) -> Iterator[str]:
        self.read.append(path.name)
        table = getattr(self, path.name)
        if isinstance(table, OSError):
            raise table
        yield from table


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    return Tables(monkeypatch)


def test_both_families_are_asked_unless_one_is_meant(tables: Tables) -> None:
    tables.tcp = [entry("0100007F", 8000, 1)]
    tables.tcp6 = [entry(LOOP6, 8000, 2)]
    assert listeners(8000) == [Listener(1), Listener(2)]
    assert listeners(8000, ipv6=True) == [Listener(2)]
    assert listeners(8000, ipv6=False) == [Listener(1)]
    tables.tcp = []
    assert listeners(8000, ipv6=False) == [Listener(2)], "a socket of IPv6 may take connections of IPv4"
    assert listeners(8001) == []


def test_a_system_without_ipv6(tables: Tables) -> None:
    tables.tcp = [entry("0100007F", 8000, 1)]
    tables.tcp6 = FileNotFoundError()
    assert listeners(8000) == [Listener(1)]
    assert listeners(8000, ipv6=True) == []


@pytest.mark.parametrize("error", [FileNotFoundError(), PermissionError()])
def test_a_system_that_does_not_tell(tables: Tables, error: OSError) -> None:
    tables.tcp = error
    assert listeners(8000) is None
    tables.tcp, tables.tcp6 = [], PermissionError()
    assert listeners(8000) is None


def test_a_table_is_read_up_to_the_first_socket_that_does_not_listen(tmp_path: Path) -> None:
    """Those that listen come first, and the rest may be long."""
    table = tmp_path / "tcp"
    lines = [HEAD, *(entry("0100007F", port, 1) for port in (8001, 8002)), entry("0100007F", 8003, 1, state="01")]
    table.write_text("\n".join([*lines, entry("0100007F", 8004, 1)]) + "\n")
    assert list(module._listening_lines(table)) == lines


# ---- processes


class FakeProcess:
    def __init__(self, pid: int, name: str, *ports: int, status: str = psutil.CONN_LISTEN, gone: bool = False) -> None:
        self.pid = pid
        self._name = name
        self._ports = ports
        self._status = status
        self._gone = gone

    def name(self) -> str:
        return self._name

    def net_connections(self, kind: str) -> list[Any]:
        if self._gone:
            raise psutil.AccessDenied(self.pid)
        assert kind == "tcp"
        return [SimpleNamespace(laddr=SimpleNamespace(port=port), status=self._status) for port in self._ports]


def test_who_holds_a_port_as_far_as_we_may_know(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [
        FakeProcess(1, "init", gone=True),
        FakeProcess(2, "client", 8000, status=psutil.CONN_ESTABLISHED),
        FakeProcess(3, "python", 8001, 8000),
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(processes))
    assert describe_listener(8000) == "process 3 (python)"
    assert describe_listener(8002) == "another process"


def test_the_ports_of_a_tree_are_those_on_which_any_of_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [
        FakeProcess(1, "a", 8000),
        FakeProcess(2, "b", 8001, 8002),
        FakeProcess(3, "c", 9000, status=psutil.CONN_ESTABLISHED),
        FakeProcess(4, "d", 9001, gone=True),
    ]
    monkeypatch.setattr(module, "_tree", lambda pid, group: processes)
    assert module.tree_ports(1, 1) == {8000, 8001, 8002}
