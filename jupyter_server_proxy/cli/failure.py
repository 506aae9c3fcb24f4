"""How a command can end."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any


class ExitCode(enum.IntEnum):
    """What the shell is told. ``jupyter server-proxy --help`` says what each means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_JUPYTER = 3
    UNKNOWN_SERVER = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Failure(Exception):
    """A command cannot do what was asked.

    Args:
        message: what happened and what to do; holds no secret.
        code: for the shell.
        details: more for ``--json``; its "output" is a list of lines that are shown to people, too.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED, details: Mapping[str, Any] | None = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = dict(details or {})
