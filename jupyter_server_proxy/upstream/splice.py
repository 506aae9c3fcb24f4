"""Bytes from one socket to another without a copy: splice(2), on Linux.

They go by way of a pipe, in which nothing stays between two calls; so one does for all connections of a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable

#: Bytes that are moved at once.
MOVE_SIZE = 512 * 1024

#: What a system says that cannot do this at all, not with such sockets, or does not allow it.
_UNABLE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})

_local = threading.local()


def move(source: int, target: int, before: Callable[[int], bytes]) -> tuple[int, bytes] | None:
    """Move what waits in one socket to another.

    Args:
        source: descriptor to read from.
        target: descriptor to write to; nothing that was written earlier may still wait to be sent there.
        before: is told how many bytes will follow, and sends what has to come first; returns what could not be sent.

    Returns:
        How many bytes were read, and what is left to be written. None if there is nothing, or if it has to be read in
        the usual way: at the end of a stream, and where the system cannot do this.

    Raises:
        OSError: of the source. One of the target is left to whoever writes there next.
    """
    pipe = _pipe()
    if pipe is None:
        return None
    out, into = pipe
    try:
        count = os.splice(source, into, MOVE_SIZE, flags=os.SPLICE_F_NONBLOCK)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        _local.pipe = None
        return None
    if not count:
        return None
    try:
        return count, _empty(out, target, count, before(count))
    except BaseException:
        # What may be left in the pipe must not be the beginning of what another connection gets.
        _local.pipe = None
        os.close(out)
        os.close(into)
        raise


def _empty(out: int, target: int, count: int, left: bytes) -> bytes:
    """Move so many bytes from the pipe to the target, unless something is left to be written before; what is left."""
    sent = 0
    with contextlib.suppress(OSError):
        while not left and sent < count and (moved := os.splice(out, target, count - sent, flags=os.SPLICE_F_NONBLOCK)):
            sent += moved
    while sent < count:
        piece = os.read(out, count - sent)
        sent += len(piece)
        left += piece
    return left


def _pipe() -> tuple[int, int] | None:
    """Where to read and where to write; None where nothing can be moved."""
    if not hasattr(_local, "pipe"):
        _local.pipe = None
        if hasattr(os, "splice"):
            with contextlib.suppress(OSError):  # too many descriptors; or the pipe stays as small as it was
                _local.pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
                fcntl.fcntl(_local.pipe[1], fcntl.F_SETPIPE_SZ, MOVE_SIZE)
    return _local.pipe  # type: ignore[no-any-return]
