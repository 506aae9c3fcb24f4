"""A service for Jupyter (``ServerApp.extra_services``) that tells what the proxy holds on to: ``GET debug/state``.

Only tests load it. The request that asks is counted, too: compare two answers with each other.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import threading

import psutil
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated


class StateHandler(JupyterHandler):
    @authenticated
    def get(self) -> None:
        runtime = self.serverapp.extension_manager.extension_apps["jupyter_server_proxy"].copy().pop().runtime
        gc.collect()  # what nobody refers to any longer is not held, wherever the collector is in its rounds
        process = psutil.Process()
        self.finish(
            {
                "tasks": sorted(task.get_name() for task in asyncio.all_tasks()),
                "journeys": len(runtime.journeys) + len(runtime.upgraded),
                "inside": sum(runtime.admission._inside.values()) + sum(runtime.upgrades._inside.values()),
                "in_line": sum(map(len, [*runtime.admission._line.values(), *runtime.upgrades._line.values()])),
                "idle": runtime.pool.idle_count(),
                "descriptors": sorted(_descriptors()),
                "children": len(process.children(recursive=True)),
                "threads": threading.active_count(),
                "rss": process.memory_info().rss,
                "allocated": _allocated(),
            }
        )


def _descriptors() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue  # the one that lists the directory
    return found


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks")
    ] + [("keepcost", ctypes.c_size_t)]


def _allocated() -> int:
    """Bytes that malloc has given out and not got back (Python's small objects apart); 0 where glibc does not tell."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    mallinfo.restype = _Mallinfo
    info = mallinfo()
    return int(info.uordblks + info.hblkhd)


default_handlers = [(r"/debug/state", StateHandler)]
