"""Who listens where: questions to the operating system about ports and processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # it is slow to load, and few servers need it to start: functions import it
    import psutil

_LISTEN = "0A"

#: At most one line of a table is made for a read of this size.
_LINE_BYTES = 128

#: Local addresses of /proc/net/tcp and tcp6 (hexadecimal, in host byte order) that a loopback connection reaches.
_V4_REACHABLE = frozenset({"0100007F", "00000000"})
_V6_REACHABLE = frozenset({"0" * 32, "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"})


class Listener(NamedTuple):
    """A listening TCP socket that can be reached by loopback; ``uid`` is its owner's."""

    uid: int


def listeners(port: int, *, ipv6: bool | None = None) -> list[Listener] | None:
    """The sockets that listen on a port.

    Args:
        port: 1-65535.
        ipv6: only those that a connection to ::1 reaches, or only those that one to 127.0.0.1 reaches. The latter are
            also sockets of IPv6, where none of IPv4 listens.

    Returns:
        None where the system does not tell (it does on Linux, for all users).
    """
    tables = {None: ("tcp", "tcp6"), True: ("tcp6",), False: ("tcp", "tcp6")}[ipv6]
    found: list[Listener] = []
    for table in tables:
        try:
            found += parse_proc_net(_listening_lines(Path("/proc/net") / table), port)
        except FileNotFoundError:
            if table == "tcp6":
                continue  # IPv6 is switched off
            return None
        except OSError:
            return None
        if found and ipv6 is False:
            break
    return found


def _listening_lines(path: Path) -> Iterator[str]:
    """The lines of a table up to the first socket that does not listen.

    Those that listen come first, and the kernel makes lines as they are read, so they are read one by one: the walk
    through all the others takes milliseconds, even where there are few.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        rest = b""
        while data := os.read(descriptor, _LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                columns = line.split(None, 4)
                yield line.decode("ascii", "replace")
                if len(columns) > 3 and columns[0] != b"sl" and columns[3] != _LISTEN.encode():
                    return
    finally:
        os.close(descriptor)


def parse_proc_net(lines: Iterable[str], port: int) -> Iterator[Listener]:
    """Find a port's listeners in the lines of /proc/net/tcp or tcp6 (see proc(5)); stops with the first.

    Two sockets of two users cannot listen on one port of one address.
    """
    wanted = f"{port:04X}"
    for line in lines:
        columns = line.split()
        if len(columns) < 8 or columns[3] != _LISTEN:
            continue
        address, _, local_port = columns[1].partition(":")
        if local_port == wanted and (address in _V4_REACHABLE or address in _V6_REACHABLE):
            yield Listener(int(columns[7]))
            return


def tree_ports(pid: int, group: int) -> set[int]:
    """TCP ports on which a process, its descendants, or the members of its process group listen."""
    import psutil  # see above

    ports: set[int] = set()
    for process in _tree(pid, group):
        try:
            ports |= {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return ports


def tree_holds_socket(pid: int, group: int, path: str) -> bool:
    """Whether a process, its descendants, or the members of its process group have a unix socket open at a path."""
    import psutil  # see above

    for process in _tree(pid, group):
        try:
            if path in [str(connection.laddr) for connection in process.net_connections("unix")]:
                return True
        except psutil.Error:
            continue
    return False


def group_members(group: int) -> list[psutil.Process]:
    """The living processes of a process group; zombies are dead."""
    import psutil  # see above

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
    import psutil  # see above

    for process in psutil.process_iter():
        try:
            if any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in process.net_connections("tcp")):
                return f"process {process.pid} ({process.name()})"
        except psutil.Error:
            continue
    return "another process"


def _tree(pid: int, group: int) -> list[psutil.Process]:
    import psutil  # see above

    found = {process.pid: process for process in group_members(group)}
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            found[process.pid] = process
    except psutil.Error:
        pass
    return list(found.values())
