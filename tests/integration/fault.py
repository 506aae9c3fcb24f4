"""A TCP proxy that misbehaves at a chosen byte: between the client and Jupyter, or Jupyter and an origin server.

::

    faults = FaultProxy(port)
    faults.toward_client = Fault(at=17, action=Action.RST)
    ...                               # connections to faults.port get 17 bytes, and then a reset

What is planned counts for connections that are made afterwards.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
import time
from dataclasses import dataclass


class Action(enum.Enum):
    """What happens at the byte."""

    FIN = "both connections are closed"
    RST = "both connections are reset"
    STALL = "nothing passes until ``resume``"


@dataclass(frozen=True)
class Fault:
    """What happens to one direction of a connection.

    Args:
        at: so many bytes pass before ``action``; None for all of them.
        action: see ``Action``.
        slices: pass so many bytes at a time, each in a segment of its own; 0 for as they come.
    """

    at: int | None = None
    action: Action = Action.FIN
    slices: int = 0


NONE = Fault()


class FaultProxy:
    """Listens on ``port`` of 127.0.0.1 and connects to another one.

    Args:
        target: the port of 127.0.0.1 to connect to.

    Attributes:
        toward_target, toward_client: what happens to each direction.
        connections: how many were made.
        happened: how many faults did happen.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.toward_target = NONE
        self.toward_client = NONE
        self.connections = 0
        self.happened = 0
        self._open: list[socket.socket] = []
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def resume(self) -> None:
        """Let go of what is stalled now; later connections stall again."""
        released, self._released = self._released, threading.Event()
        released.set()

    def close(self) -> None:
        """Stop listening, and reset what is open."""
        self._listener.close()
        self.resume()
        for sock in self._open:
            _end(sock, reset=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.toward_client
            if fault.at == 0 and fault.action is Action.RST:
                self.happened += 1
                _end(client, reset=True)  # as if nobody had been there at all
                continue
            target = socket.create_connection(("127.0.0.1", self.target))
            self._open += [client, target]
            for sock in (client, target):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, drain, plan in ((client, target, self.toward_target), (target, client, fault)):
                pump = threading.Thread(target=self._pump, args=(source, drain, plan, self._released), daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, drain: socket.socket, fault: Fault, released: threading.Event) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if fault.at is not None and passed + len(data) >= fault.at:
                    cut, fault_at = fault.at - passed, fault.at
                    _pass(drain, data[:cut], fault.slices)
                    self.happened += 1
                    if fault.action is not Action.STALL:
                        for sock in (drain, source):
                            _end(sock, reset=fault.action is Action.RST)
                        return
                    released.wait()
                    data, passed, fault = data[cut:], fault_at, Fault(slices=fault.slices)
                _pass(drain, data, fault.slices)
                passed += len(data)
            drain.shutdown(socket.SHUT_WR)
            return
        # One side was reset: so is the other.
        for sock in (drain, source):
            _end(sock, reset=True)


def _pass(drain: socket.socket, data: bytes, slices: int) -> None:
    for start in range(0, len(data), slices or max(1, len(data))):
        drain.sendall(data[start : start + slices] if slices else data)
        if slices:
            time.sleep(0.0005)


def _end(sock: socket.socket, *, reset: bool) -> None:
    """Close a socket that another thread may be reading."""
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # A thread that waits in recv would keep the connection open: this wakes it without a FIN of ours.
            sock.shutdown(socket.SHUT_RD)
        else:
            sock.shutdown(socket.SHUT_RDWR)
    sock.close()
