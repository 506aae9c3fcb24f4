"""The file to which a server's output is appended, where it is configured: bounded by renaming it."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler

from ..rules.spec import LogFileSpec


class LogFile:
    """Appends lines. A file that cannot be written is one warning, and the server runs all the same.

    Args:
        name: of the server, for that warning.
        spec: which file, how large, how many.
        log: for that warning.
    """

    def __init__(self, name: str, spec: LogFileSpec, log: logging.Logger) -> None:
        self._name = name
        self._spec = spec
        self._log = log
        self._handler: RotatingFileHandler | None = None
        self._failed = False

    def write(self, line: str) -> None:
        """Append a line."""
        if not self._spec.path or self._failed:
            return
        try:
            if self._handler is None:
                self._handler = _PrivateFileHandler(
                    self._spec.path, maxBytes=self._spec.max_bytes, backupCount=self._spec.count, encoding="utf-8",
                    errors="backslashreplace",
                )  # fmt: skip
                self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self._handler.emit(logging.LogRecord(self._name, logging.INFO, "", 0, line, None, None))
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self.close()
        self._log.warning(
            "The output of server '%s' cannot be written to %s: %s", self._name, self._spec.path, error.strerror
        )


class _PrivateFileHandler(RotatingFileHandler):
    """Only this user may read what servers write, and errors are raised."""

    def _open(self):  # type: ignore[no-untyped-def]
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_open_private)

    def handleError(self, record: logging.LogRecord) -> None:
        raise


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # it may have been there before
    return descriptor
