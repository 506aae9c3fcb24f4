"""What is measured. Each case takes the rig and an effort, and returns tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..rig import Rig
from ..table import Effort, Table
from . import bodies, events, get, linear, page, rawsocket, standalone, starts, status, websocket

Case = Callable[[Rig, Effort], Sequence[Table]]

CASES: dict[str, Case] = {
    "get": get.get,
    "custom": get.custom,
    "download": bodies.download,
    "upload": bodies.upload,
    "events": events.events,
    "echo": websocket.echo,
    "bulk": websocket.bulk,
    "pace": websocket.pace,
    "connect": websocket.connect,
    "idle": websocket.idle,
    "raw": rawsocket.rawsocket,
    "status": status.status,
    "cold": starts.cold,
    "import": starts.imports,
    "startup": starts.startup,
    "standalone": standalone.standalone,
    "page": page.page,
    "linear": linear.linear,
}

#: Names for several of them.
GROUPS: dict[str, list[str]] = {
    "all": list(CASES),
    "ws": ["echo", "bulk", "pace", "connect", "idle"],
    "bodies": ["download", "upload"],
    "starts": ["cold", "import", "startup", "standalone"],
}


def chosen(names: Sequence[str]) -> list[str]:
    """The cases that are meant, in their order, each once; all without any names.

    Raises:
        KeyError: there is no such case or group.
    """
    wanted = {case for name in names or ["all"] for case in GROUPS.get(name, [name])}
    unknown = wanted - set(CASES)
    if unknown:
        raise KeyError(", ".join(sorted(unknown)))
    return [name for name in CASES if name in wanted]
