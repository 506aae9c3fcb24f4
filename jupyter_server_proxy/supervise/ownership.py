"""Who listens where: questions to the operating system about ports and processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_LISTEN = "0A"

#: Local addresses of /proc/net/tcp and tcp6 (hexadecimal, in host byte order) that a loopback connection reaches.
_V4_REACHABLE = frozenset({"0100007F", "00000000"})
_V6_REACHABLE = frozenset({"0" * 32, "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"})


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket that can be reached by loopback; ``uid`` is its owner's."""

    uid: int


def listeners(port: int) -> list[Listener] | None:
    """The sockets that listen on a port.

    Args:
        port: 1-65535.

    Returns:
        None where the system does not tell (it does on Linux, for all users).
    """
    try:
        tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    except FileNotFoundError:
        try:
            tables = [Path("/proc/net/tcp").read_text()]  # IPv6 is switched off
        except OSError:
            return None
    except OSError:
        return None
    return [listener for table in tables for listener in parse_proc_net(table, port)]


def parse_proc_net(table: str, port: int) -> Iterator[Listener]:
    """Find a port's listeners in the text of /proc/net/tcp or tcp6 (see proc(5))."""
    wanted = f"{port:04X}"
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 8 or columns[3] != _LISTEN:
            continue
        address, _, local_port = columns[1].partition(":")
        if local_port == wanted and (address in _V4_REACHABLE or address in _V6_REACHABLE):
            yield Listener(int(columns[7]))


def tree_ports(pid: int, group: int) -> set[int]:
    """TCP ports on which a process, its descendants, or the members of its process group listen."""
    ports: set[int] = set()
    for process in _tree(pid, group):
        try:
            ports |= {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return ports


def tree_holds_socket(pid: int, group: int, path: str) -> bool:
    """Whether a process, its descendants, or the members of its process group have a unix socket open at a path."""
    for process in _tree(pid, group):
        try:
            if path in [str(connection.laddr) for connection in process.net_connections("unix")]:
                return True
        except psutil.Error:
            continue
    return False


def group_members(group: int) -> list[psutil.Process]:
    """The living processes of a process group; zombies are dead."""
    members = []
    for pid in psutil.pids():
        try:
            if os.getpgid(pid) == group:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    members.append(process)
        except (OSError, psutil.Error):
            continue
    return members


def describe_listener(port: int) -> str:
    """Who holds a port, as far as we may know, for messages."""
    for process in psutil.process_iter():
        try:
            if any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in process.net_connections("tcp")):
                return f"process {process.pid} ({process.name()})"
        except psutil.Error:
            continue
    return "another process"


def _tree(pid: int, group: int) -> list[psutil.Process]:
    found = {process.pid: process for process in group_members(group)}
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            found[process.pid] = process
    except psutil.Error:
        pass
    return list(found.values())
