"""The guard process: when the Jupyter server has gone, whatever way it went, end the process groups it has left behind.

Runs with the standard library alone, as ``python -I -S reaper_script.py``. Reads lines ``add <group>`` and
``remove <group>``; end of file means that the parent is gone. So does another parent: the pipe might be held open by a
forked copy of Jupyter.
"""

import os
import select
import signal
import sys
import time

GRACE = 2.0


def main() -> None:
    """Watch, then reap."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    groups: set[int] = set()
    pending = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            word, _, group = line.partition(b" ")
            (groups.add if word == b"add" else groups.discard)(int(group))
    reap(groups)


def reap(groups: set[int]) -> None:
    """SIGTERM, a moment to obey, SIGKILL."""
    for group in list(groups):
        if not send(group, signal.SIGTERM):
            groups.discard(group)
    deadline = time.monotonic() + GRACE
    while groups and time.monotonic() < deadline:
        time.sleep(0.02)
        groups = {group for group in groups if send(group, 0)}
    for group in groups:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Signal a group; whether it exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


if __name__ == "__main__":
    main()
    sys.exit(0)
