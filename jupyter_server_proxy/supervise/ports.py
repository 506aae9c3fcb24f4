"""Which TCP ports the processes of this user listen on, and what those processes descend from."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

_LISTEN = "0A"
_PROC = Path("/proc")

#: Addresses to bind to that a loopback connection reaches.
REACHABLE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})


class ListeningPort(NamedTuple):
    """A port that can be reached by loopback, and who listens there.

    Args:
        port: 1-65535.
        addresses: that it is bound to, some of ``REACHABLE``, in alphabetical order.
        pid: of the process that listens.
        process: its name.
        words: of its command line, secrets included; empty if the system does not tell.
        started: seconds since the epoch.
        ancestors: numbers of processes, nearest first, beginning with its own: see ``trace_ancestors``.
    """

    port: int
    addresses: tuple[str, ...]
    pid: int
    process: str
    words: tuple[str, ...]
    started: float
    ancestors: tuple[int, ...]


class Links(NamedTuple):
    """What leads from a process to those it descends from: process numbers, 0 where there is none."""

    parent: int
    group: int
    session: int


class BoundSocket(NamedTuple):
    """A listening socket, and the processes that have it open."""

    port: int
    address: str
    holders: frozenset[int]


def listening_ports() -> list[ListeningPort]:
    """The ports on which processes with our effective user number listen, in ascending order.

    There is one entry for each port and process. Of processes that share a socket, as a server and its forked workers
    do, the topmost is told. Processes that vanish meanwhile, and such that we may not look at, are left out.

    This blocks: it looks at the open files of all our processes. On Linux that takes about 10 ms for 140 processes,
    where ``psutil`` takes 450 ms because it reads the kernel's table of connections anew for each process.
    ``psutil.net_connections()`` is as fast, but tells one process only of those that share a socket, and not the
    topmost; and it looks at everybody's processes when we are root.
    """
    census = _Census()
    addresses: dict[tuple[int, int], set[str]] = {}
    for bound in _bound_sockets():
        ours = [pid for pid in bound.holders if census.is_ours(pid)]
        if ours:
            pid = find_topmost(ours, census.ancestors, census.started)
            addresses.setdefault((bound.port, pid), set()).add(bound.address)
    described = (census.describe(port, pid, found) for (port, pid), found in sorted(addresses.items()))
    return [entry for entry in described if entry is not None]


def trace_ancestors(pid: int, links_of: Callable[[int], Links | None]) -> tuple[int, ...]:
    """The processes that a process descends from, nearest first, beginning with itself.

    A process whose parent has ended is adopted by another one, mostly by number 1. It keeps its group and its session,
    though, and a session is inherited until somebody begins a new one. So a process whose parent belongs to another
    session leads its own, or has been adopted: then the leaders of its group and session are nearer than the parent.
    They are told even if they have ended, as somebody may still know the number; it is not used again as long as the
    group or the session lives.

    Args:
        pid: where to begin.
        links_of: None for a process that is not there.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        current = waiting.pop(0)
        if current <= 0 or current in found:
            continue
        found.append(current)
        links = links_of(current)
        if links is None:
            continue
        parent = links_of(links.parent)
        if parent is None or parent.session != links.session:
            waiting[:0] = [links.group, links.session, links.parent]
        else:
            waiting.insert(0, links.parent)
    return tuple(found)


def find_topmost(
    pids: Collection[int], ancestors_of: Callable[[int], Collection[int]], started: Callable[[int], float]
) -> int:
    """That one of some processes from which the others descend; the oldest if there is none.

    Args:
        pids: at least one.
        ancestors_of: the process itself included.
        started: time.
    """
    tops = [pid for pid in pids if not any(other != pid and other in ancestors_of(pid) for other in pids)]
    return min(tops or pids, key=lambda pid: (started(pid), pid))


# ---- sockets


def parse_listeners(table: str) -> Iterator[tuple[str, int, str]]:
    """Find the listening sockets that loopback reaches in the text of /proc/net/tcp or tcp6 (see proc(5)).

    Yields:
        Inode, port and address of each.
    """
    for line in table.splitlines()[1:]:
        if f" {_LISTEN} " not in line:  # thousands of connections may stand here: this is faster than to split
            continue
        columns = line.split(None, 10)
        if len(columns) < 10:
            continue
        digits, _, port = columns[1].partition(":")
        address = _decode_address(digits)
        if address in REACHABLE:
            yield columns[9], int(port, 16), address


def find_holders(proc: Path, inodes: Collection[str], uid: int) -> dict[str, frozenset[int]]:
    """Which processes have which sockets open.

    Args:
        proc: where the proc file system is.
        inodes: of the sockets.
        uid: processes of other users are not looked at; but those that hide their memory may count as root's.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    holders: dict[str, set[int]] = {}
    for directory in proc.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            files = os.listdir(directory / "fd") if directory.stat().st_uid == uid else []
        except OSError:
            continue
        for name in files:
            try:
                inode = wanted.get(os.readlink(f"{directory}/fd/{name}"))
            except OSError:
                continue
            if inode is not None:
                holders.setdefault(inode, set()).add(int(directory.name))
    return {inode: frozenset(pids) for inode, pids in holders.items()}


def _bound_sockets() -> Iterable[BoundSocket]:
    tables = []
    for name in ("tcp", "tcp6"):
        try:
            tables.append((_PROC / "net" / name).read_text())
        except OSError:
            continue  # IPv6 is switched off, or this is not Linux
    if not tables:
        return _bound_sockets_elsewhere()
    listeners = [listener for table in tables for listener in parse_listeners(table)]
    holders = find_holders(_PROC, {inode for inode, _, _ in listeners}, os.geteuid())
    return [BoundSocket(port, address, holders[inode]) for inode, port, address in listeners if inode in holders]


def _bound_sockets_elsewhere() -> list[BoundSocket]:
    """Without /proc, nobody tells which sockets are the same: what has the same address is taken for the same."""
    holders: dict[tuple[int, str], set[int]] = {}
    for process in psutil.process_iter():
        try:
            connections = process.net_connections("tcp") if process.uids().effective == os.geteuid() else []
        except psutil.Error:
            continue
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN and connection.laddr:
                address = _plain(connection.laddr.ip)
                if address in REACHABLE:
                    holders.setdefault((connection.laddr.port, address), set()).add(process.pid)
    return [BoundSocket(port, address, frozenset(pids)) for (port, address), pids in holders.items()]


def _decode_address(digits: str) -> str:
    """An address of /proc/net/tcp: each 32 bits are written as a number of the machine."""
    words = [int(digits[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(digits), 8)]
    return _plain(socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words)))


def _plain(address: str) -> str:
    """An IPv4 address that an IPv6 socket is bound to is reached by IPv4."""
    return address.removeprefix("::ffff:")


# ---- processes


class _Census:
    """What is known about processes; each is looked at once, so that all answers fit together."""

    def __init__(self) -> None:
        self._uid = os.geteuid()
        self._processes: dict[int, psutil.Process | None] = {}
        self._links: dict[int, Links | None] = {}
        self._ancestors: dict[int, tuple[int, ...]] = {}

    def is_ours(self, pid: int) -> bool:
        """Whether a process lives and runs with our effective user number."""
        process = self._process(pid)
        try:
            return process is not None and process.uids().effective == self._uid
        except psutil.Error:
            return False

    def started(self, pid: int) -> float:
        """Seconds since the epoch; 0 if it is gone."""
        process = self._process(pid)
        try:
            return process.create_time() if process is not None else 0.0
        except psutil.Error:
            return 0.0

    def ancestors(self, pid: int) -> tuple[int, ...]:
        if pid not in self._ancestors:
            self._ancestors[pid] = trace_ancestors(pid, self._links_of)
        return self._ancestors[pid]

    def describe(self, port: int, pid: int, addresses: Collection[str]) -> ListeningPort | None:
        """None if the process is gone, or must not be looked at."""
        process = self._process(pid)
        if process is None:
            return None
        try:
            with process.oneshot():
                return ListeningPort(
                    port=port,
                    addresses=tuple(sorted(addresses)),
                    pid=pid,
                    process=process.name(),
                    words=tuple(process.cmdline()),
                    started=process.create_time(),
                    ancestors=self.ancestors(pid),
                )
        except psutil.Error:
            return None

    def _process(self, pid: int) -> psutil.Process | None:
        if pid not in self._processes:
            try:
                self._processes[pid] = psutil.Process(pid)
            except (psutil.Error, ValueError):
                self._processes[pid] = None
        return self._processes[pid]

    def _links_of(self, pid: int) -> Links | None:
        if pid not in self._links:
            process = self._process(pid) if pid > 0 else None
            try:
                parent = process.ppid() if process is not None else None
            except psutil.Error:
                parent = None
            self._links[pid] = None if parent is None else Links(parent, *_group_and_session(pid))
        return self._links[pid]


def _group_and_session(pid: int) -> tuple[int, int]:
    try:
        return os.getpgid(pid), os.getsid(pid)
    except OSError:  # gone, or a system that tells this of one's own session only
        return 0, 0
