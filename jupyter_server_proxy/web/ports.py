"""The listening ports of this user's processes, and to which kernel, terminal or server they belong."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..rules.masking import mask_words
from ..supervise.ports import REACHABLE, ListeningPort, listening_ports

if TYPE_CHECKING:
    from ..supervise.server import ManagedServer

log = logging.getLogger(__name__)

#: Characters of a command line that are told.
COMMAND_LENGTH = 200


@dataclass
class Owners:
    """Who the processes are that others descend from.

    Args:
        by_pid: what is told of the owner that has this process number.
        channels: of kernels: process number of the kernel, and the ports of its messages.
    """

    by_pid: dict[int, dict[str, Any]] = field(default_factory=dict)
    channels: dict[int, frozenset[int]] = field(default_factory=dict)

    def nearest(self, listening: ListeningPort) -> int | None:
        """The process number of the owner from which a listening process descends most directly."""
        return next((pid for pid in listening.ancestors if pid in self.by_pid), None)


async def describe_ports(
    settings: Mapping[str, Any], supervisor: Iterable[ManagedServer], base_url: str, own_pid: int
) -> list[dict[str, Any]]:
    """The ports on which processes of this user listen, as the REST API tells them.

    The ports by which Jupyter talks with its kernels are left out: each kernel has five, and they are nothing that
    anybody would open.

    Args:
        settings: of Jupyter's application; its managers of kernels, sessions and terminals may be missing.
        supervisor: of the configured servers.
        base_url: of Jupyter; begins and ends with "/".
        own_pid: process number of Jupyter.
    """
    owners = await find_owners(settings, supervisor, own_pid)
    described = []
    for listening in await asyncio.to_thread(listening_ports):
        nearest = owners.nearest(listening)
        if nearest is None:
            described.append(_describe(listening, base_url, None))
        elif listening.port not in owners.channels.get(nearest, ()):
            described.append(_describe(listening, base_url, owners.by_pid[nearest]))
    return described


def _describe(listening: ListeningPort, base_url: str, owner: dict[str, Any] | None) -> dict[str, Any]:
    # The command is shortened after it was masked: half a secret is still one.
    command = shlex.join(mask_words(listening.words))
    started = datetime.fromtimestamp(listening.started, timezone.utc)
    return {
        "port": listening.port,
        "addresses": list(listening.addresses),
        "pid": listening.pid,
        "process": listening.process,
        "command": command if len(command) <= COMMAND_LENGTH else command[: COMMAND_LENGTH - 1] + "…",
        "started": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "url": f"{base_url}proxy/{listening.port}/",
        "owner": owner,
    }


# ---- owners


async def find_owners(settings: Mapping[str, Any], supervisor: Iterable[ManagedServer], own_pid: int) -> Owners:
    """All owners that can be found out; a manager that fails, as one of other making may, spoils nothing else."""
    owners = Owners({own_pid: {"kind": "jupyter"}})
    for server in supervisor:
        if server.pid is not None:
            owners.by_pid[server.pid] = {"kind": "server", "name": server.spec.name}
    try:
        for name, pid in _terminals(settings.get("terminal_manager")):
            owners.by_pid[pid] = {"kind": "terminal", "name": name}
    except Exception:
        log.debug("The terminals of the listening ports could not be found out", exc_info=True)
    try:
        notebooks = await _notebooks(settings.get("session_manager"))
    except Exception:
        log.debug("The notebooks of the listening ports could not be found out", exc_info=True)
        notebooks = {}
    try:
        _add_kernels(owners, settings.get("kernel_manager"), notebooks)
    except Exception:
        log.debug("The kernels of the listening ports could not be found out", exc_info=True)
    return owners


def _terminals(manager: Any) -> Iterator[tuple[str, int]]:
    if manager is not None:
        for name, terminal in dict(manager.terminals).items():
            yield str(name), int(terminal.ptyproc.pid)


async def _notebooks(manager: Any) -> dict[str, str]:
    """Paths of notebooks by the ids of their kernels."""
    sessions = await manager.list_sessions() if manager is not None else []
    return {
        session["kernel"]["id"]: session["path"]
        for session in sessions
        if session.get("type") == "notebook" and session.get("kernel")
    }


def _add_kernels(owners: Owners, manager: Any, notebooks: Mapping[str, str]) -> None:
    for kernel_id in list(manager.list_kernel_ids()) if manager is not None else []:
        try:
            kernel = manager.get_kernel(kernel_id)
            pid = _kernel_pid(kernel)
            if pid is None:
                continue
            name, ports = str(kernel.kernel_name), frozenset(getattr(kernel, "ports", ()))
        except Exception:
            log.debug("Kernel %s could not be looked at", kernel_id, exc_info=True)
            continue
        owners.by_pid[pid] = {
            "kind": "kernel",
            "id": kernel_id,
            "name": name,
            "notebook": notebooks.get(kernel_id),
        }
        owners.channels[pid] = ports


def _kernel_pid(kernel: Any) -> int | None:
    """The process number of a kernel of this machine; what runs elsewhere has none, or one that means nothing here."""
    provisioner = getattr(kernel, "provisioner", None)
    process = getattr(provisioner, "process", None)
    if process is not None:
        return int(process.pid)
    pid = getattr(provisioner, "pid", None)
    return int(pid) if pid is not None and getattr(kernel, "ip", "") in REACHABLE else None
