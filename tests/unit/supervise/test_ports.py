"""Listening ports: what is read from /proc, and who is told of those that share a socket or have lost their parent."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jupyter_server_proxy.supervise import ports as module
from jupyter_server_proxy.supervise.ports import (
    BoundSocket,
    Links,
    find_holders,
    find_topmost,
    listening_ports,
    parse_listeners,
    trace_ancestors,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTEN, ESTABLISHED = "0A", "01"


def row(address: str, port: int, inode: int, state: str = LISTEN) -> str:
    """A line of /proc/net/tcp or tcp6, for an address in the order of the network."""
    words = [int.from_bytes(bytes.fromhex(address[i : i + 8]), sys.byteorder) for i in range(0, len(address), 8)]
    digits = "".join(f"{word:08X}" for word in words)
    nobody = "0" * len(digits)
    return f"   0: {digits}:{port:04X} {nobody}:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100 0 0 10 0\n"  # noqa: E501


# ---- the kernel's table of sockets


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("7f000001", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("0" * 31 + "1", "::1"),
        ("0" * 32, "::"),
        ("0" * 20 + "ffff7f000001", "127.0.0.1"),
    ],
)
def test_sockets_that_loopback_reaches(written: str, told: str) -> None:
    assert list(parse_listeners(HEAD + row(written, 8888, 77))) == [("77", 8888, told)]


@pytest.mark.parametrize("written", ["0a000005", "7f000035", "fe80" + "0" * 27 + "1", "0" * 20 + "ffff0a000005"])
def test_sockets_that_loopback_does_not_reach(written: str) -> None:
    assert list(parse_listeners(HEAD + row(written, 8888, 77))) == []


def test_connections_are_no_listeners() -> None:
    table = HEAD + row("7f000001", 1, 5, ESTABLISHED) + row("7f000001", 2, 6) + "  cut short 0A \n"
    assert list(parse_listeners(table)) == [("6", 2, "127.0.0.1")]


# ---- who has them open


def pretend_process(proc: Path, pid: str, files: dict[str, str]) -> None:
    directory = proc / pid / "fd"
    directory.mkdir(parents=True)
    for number, target in files.items():
        (directory / number).symlink_to(target)


def test_holders_of_sockets(tmp_path: Path) -> None:
    pretend_process(tmp_path, "10", {"0": "/dev/null", "3": "socket:[500]", "4": "socket:[501]"})
    pretend_process(tmp_path, "11", {"7": "socket:[500]", "8": "socket:[500]", "9": "pipe:[501]"})
    pretend_process(tmp_path, "self", {"3": "socket:[501]"})
    (tmp_path / "12").mkdir()
    assert find_holders(tmp_path, {"500", "501", "502"}, os.geteuid()) == {
        "500": frozenset({10, 11}),
        "501": frozenset({10}),
    }


def test_processes_of_others_are_not_looked_at(tmp_path: Path) -> None:
    pretend_process(tmp_path, "10", {"3": "socket:[500]"})
    assert find_holders(tmp_path, {"500"}, os.geteuid() + 1) == {}


# ---- descent


def ancestors(pid: int, table: dict[int, Links]) -> tuple[int, ...]:
    return trace_ancestors(pid, table.get)


INIT = {1: Links(0, 1, 1)}
#: Jupyter (10) has started a kernel (20), which leads its session, and that a shell (30) in a group of its own.
KERNEL = {**INIT, 10: Links(1, 10, 10), 20: Links(10, 20, 20), 30: Links(20, 30, 20)}


def test_parents_are_ancestors_nearest_first() -> None:
    assert ancestors(40, {**KERNEL, 40: Links(30, 30, 20)}) == (40, 30, 20, 10, 1)


def test_a_process_that_leads_its_session_was_not_adopted() -> None:
    assert ancestors(20, KERNEL) == (20, 10, 1)


def test_an_adopted_process_descends_from_the_leader_of_its_session() -> None:
    assert ancestors(50, {**KERNEL, 50: Links(1, 20, 20)}) == (50, 20, 10, 1)


def test_an_adopted_process_descends_from_the_leader_of_its_group_first() -> None:
    assert ancestors(50, {**KERNEL, 50: Links(1, 30, 20)}) == (50, 30, 20, 10, 1)


def test_leaders_that_have_ended_are_told() -> None:
    assert ancestors(50, {**INIT, 50: Links(1, 48, 44)}) == (50, 48, 44, 1)


def test_who_adopts_needs_not_be_number_1() -> None:
    table = {**KERNEL, 5: Links(1, 5, 5), 50: Links(5, 20, 20)}
    assert ancestors(50, table) == (50, 20, 10, 1, 5)


def test_an_ancestor_may_have_been_adopted() -> None:
    assert ancestors(60, {**KERNEL, 50: Links(1, 50, 20), 60: Links(50, 50, 20)}) == (60, 50, 20, 10, 1)


def test_a_parent_that_cannot_be_seen() -> None:
    assert ancestors(50, {**KERNEL, 50: Links(99, 30, 20)}) == (50, 30, 20, 10, 1, 99)


def test_a_session_from_outside_of_the_container_is_no_process() -> None:
    assert ancestors(50, {50: Links(0, 0, 0)}) == (50,)


def test_a_process_that_is_gone_is_its_own_ancestor() -> None:
    assert ancestors(50, {}) == (50,)


def test_tracing_ends_even_where_numbers_were_used_again() -> None:
    assert ancestors(50, {50: Links(60, 50, 50), 60: Links(50, 60, 60)}) == (50, 60)


@pytest.mark.parametrize(
    ("pids", "top"),
    [
        ({31, 30, 32}, 30),
        ({31, 32}, 32),
        ({31}, 31),
    ],
    ids=["the parent of the others", "the oldest of siblings", "the only one"],
)
def test_topmost(pids: set[int], top: int) -> None:
    lines = {30: (30, 1), 31: (31, 30, 1), 32: (32, 30, 1)}
    assert find_topmost(pids, lines.__getitem__, {30: 9.0, 31: 5.0, 32: 4.0}.__getitem__) == top


# ---- all together


class FakeProcess:
    """Of psutil; what the test does not want to be told raises."""

    table: dict[int, dict[str, Any]]

    def __init__(self, pid: int) -> None:
        if pid not in self.table:
            raise psutil.NoSuchProcess(pid)
        self.pid = pid

    def _tell(self, key: str) -> Any:
        value = self.table[self.pid][key]
        if isinstance(value, Exception):
            raise value
        return value

    def uids(self) -> Any:
        return SimpleNamespace(real=0, effective=self._tell("uid"))

    def ppid(self) -> int:
        return int(self._tell("parent"))

    def name(self) -> str:
        return f"name-{self.pid}"

    def cmdline(self) -> list[str]:
        return list(self._tell("words"))

    def create_time(self) -> float:
        return 1000.0 + self.pid

    def oneshot(self) -> FakeProcess:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``pretend(sockets, processes)``: what the operating system would tell."""

    def apply(sockets: list[BoundSocket], processes: dict[int, dict[str, Any]]) -> None:
        mine = {"uid": os.geteuid(), "parent": 0, "words": ["run"]}
        FakeProcess.table = {pid: {**mine, **facts} for pid, facts in processes.items()}
        monkeypatch.setattr(module, "_bound_sockets", lambda: sockets)
        monkeypatch.setattr(module.psutil, "Process", FakeProcess)
        monkeypatch.setattr(module, "_group_and_session", lambda pid: (7, 7))

    return apply


def bound(port: int, address: str, *holders: int) -> BoundSocket:
    return BoundSocket(port, address, frozenset(holders))


def test_one_entry_for_each_port_and_process(pretend: Any) -> None:
    pretend(
        [
            bound(9000, "127.0.0.1", 5),
            bound(8000, "::1", 5),
            bound(8000, "127.0.0.1", 5),
            bound(8000, "0.0.0.0", 5),
            bound(8000, "::", 6),
        ],
        {5: {"words": ["serve", "--port=8000"]}, 6: {"parent": 5}},
    )
    found = listening_ports()
    assert [(entry.port, entry.pid, entry.addresses) for entry in found] == [
        (8000, 5, ("0.0.0.0", "127.0.0.1", "::1")),
        (8000, 6, ("::",)),
        (9000, 5, ("127.0.0.1",)),
    ]
    first = found[0]
    assert (first.process, first.words, first.started) == ("name-5", ("serve", "--port=8000"), 1005.0)


def test_of_workers_that_share_a_socket_the_topmost_is_told(pretend: Any) -> None:
    pretend([bound(8000, "0.0.0.0", 3, 5, 4)], {5: {}, 3: {"parent": 5}, 4: {"parent": 3}})
    assert [entry.pid for entry in listening_ports()] == [5]


def test_processes_of_others_are_left_out_also_for_root(pretend: Any) -> None:
    pretend(
        [bound(8000, "0.0.0.0", 5), bound(8001, "0.0.0.0", 5, 6)],
        {5: {"uid": os.geteuid() + 1}, 6: {"parent": 5}},
    )
    assert [(entry.port, entry.pid) for entry in listening_ports()] == [(8001, 6)]


def test_processes_that_vanish_or_deny_are_left_out(pretend: Any) -> None:
    pretend(
        [bound(8000, "::", 4), bound(8001, "::", 5), bound(8002, "::", 6), bound(8003, "::", 7)],
        {
            5: {"words": psutil.AccessDenied(5)},
            6: {"words": psutil.ZombieProcess(6)},
            7: {"parent": psutil.NoSuchProcess(7)},
        },
    )
    assert [(entry.port, entry.ancestors) for entry in listening_ports()] == [(8003, (7,))]
