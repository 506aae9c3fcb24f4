"""Where a server is to listen: a free port, or a path for a unix socket; and what is cleaned up afterwards."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
from typing import Any

from ..errors import StartFailed
from ..rules.options import MAX_SOCKET_PATH
from ..rules.spec import ServerSpec
from ..upstream.address import LOOPBACK, Address, TcpAddress, UnixAddress

#: Ports that were given to a server of this process, so that no two servers that start at the same time get the same.
_handed_out: set[int] = set()


class Endpoint:
    """The address of one server, from before its first start to its last stop.

    Args:
        spec: says whether it is a port or a path, and which.
    """

    def __init__(self, spec: ServerSpec) -> None:
        self._spec = spec
        self._port = 0
        self._found_port = 0
        self._directory = ""

    @property
    def is_unix(self) -> bool:
        """Whether it is a unix socket; that wins over a port."""
        return bool(self._spec.unix_socket)

    @property
    def port(self) -> int:
        """The port; 0 with a unix socket. A free one is chosen at the first use, and kept while it stays free."""
        if self.is_unix:
            return 0
        if self._spec.port:
            return self._spec.port
        if not self._port:
            self._port = allocate_port()
        return self._port

    @property
    def path(self) -> str:
        """The path; "" without a unix socket. True in the configuration means one in a private directory of ours."""
        if not self.is_unix:
            return ""
        if isinstance(self._spec.unix_socket, str):
            return self._spec.unix_socket
        if not self._directory:
            self._directory = tempfile.mkdtemp(prefix="jupyter-server-proxy-")
        return os.path.join(self._directory, "socket")

    @property
    def candidates(self) -> tuple[Address, ...]:
        """The addresses at which the server may turn up."""
        if self.is_unix:
            return (UnixAddress(self.path),)
        return tuple(TcpAddress((host,), self.listening_port, self._spec.tls) for host in LOOPBACK)

    @property
    def listening_port(self) -> int:
        """The port where the server is looked for: the one that it was told, unless it was found elsewhere."""
        return self._found_port or self.port

    def arguments(self) -> dict[str, Any]:
        """The template arguments of the address."""
        return {"port": self.port, "unix_socket": self.path}

    def move(self, port: int) -> bool:
        """Look for the server at another port than it was told, until its next start; whether that is news."""
        news = port != self._found_port
        self._found_port = port
        return news

    def prepare(self) -> None:
        """Make sure that a server can listen here; called before each start.

        Raises:
            StartFailed: it cannot.
        """
        self._found_port = 0
        if self.is_unix:
            self._prepare_path()
        elif self._port and not is_free(self._port):
            _handed_out.discard(self._port)
            self._port = allocate_port()

    def release(self) -> None:
        """Clean up after the server has stopped."""
        if self._port:
            _handed_out.discard(self._port)
            self._port = 0
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = ""
        elif isinstance(self._spec.unix_socket, str):
            _unlink_our_socket(self._spec.unix_socket)

    def _prepare_path(self) -> None:
        path, name = self.path, self._spec.name
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise StartFailed(
                f"Server '{name}' cannot use the unix socket {path}: its path is longer than {MAX_SOCKET_PATH} bytes."
            )
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            if not os.path.isdir(os.path.dirname(path)):
                raise StartFailed(
                    f"Server '{name}' cannot use the unix socket {path}: there is no such directory."
                ) from None
            return
        except OSError as error:
            raise StartFailed(f"Server '{name}' cannot use the unix socket {path}: {error.strerror}.") from None
        if found.st_uid != os.geteuid():
            raise StartFailed(f"Server '{name}' cannot use the unix socket {path}: it belongs to another user.")
        if stat.S_ISSOCK(found.st_mode):
            if not is_answered(path):
                os.unlink(path)  # left by a process that is dead
        elif not stat.S_ISREG(found.st_mode) or found.st_size:
            # An empty file is what mkstemp leaves to reserve a name; the server will replace it.
            raise StartFailed(f"Server '{name}' cannot use the unix socket {path}: something else is there.")


def allocate_port() -> int:
    """A TCP port that is free on all loopback addresses, and was not given to another server of this process.

    Raises:
        StartFailed: none was found.
    """
    for _ in range(100):
        with socket.socket() as sock:
            sock.bind((LOOPBACK[0], 0))
            port = int(sock.getsockname()[1])
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise StartFailed("No free TCP port was found.")


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of every loopback address that this machine has."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sock = socket.socket(family)
        except OSError:
            continue
        with sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((host, port))
            except OSError as error:
                if family is socket.AF_INET or error.errno != errno.EADDRNOTAVAIL:
                    return False
    return True


def is_answered(path: str) -> bool:
    """Whether somebody listens on a unix socket; it is never waited for."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # a queue that is full, or a socket that is not for us: there is somebody
    return True


def _unlink_our_socket(path: str) -> None:
    try:
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid() and not is_answered(path):
            os.unlink(path)
    except OSError:
        pass
