"""How long servers took to start before, so that people can be told how long it is going to take."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path

#: Starts of a server that are remembered, and servers.
KEPT_STARTS = 5
KEPT_SERVERS = 200


class StartTimes:
    """Remembers the durations of successful starts, over restarts of Jupyter if there is a file for it.

    They are a convenience: a file that cannot be read or written is passed over.

    Args:
        path: of the file; None to remember nothing for the next time.
        log: for what is passed over.
    """

    def __init__(self, path: Path | None, log: logging.Logger) -> None:
        self._path = path
        self._log = log
        self._seconds: dict[str, list[float]] | None = None

    def expected(self, name: str) -> float | None:
        """Seconds that the next start will probably take: the median of the last ones; None if there were none."""
        import statistics  # slow to load, and not needed before a server is looked at

        seconds = self._load().get(name)
        return statistics.median(seconds) if seconds else None

    def record(self, name: str, seconds: float) -> None:
        """A start was successful, and took so long."""
        known = self._load()
        latest = [*known.pop(name, []), round(seconds, 3)][-KEPT_STARTS:]
        known[name] = latest  # the latest server is the last of the dictionary
        for old in list(known)[:-KEPT_SERVERS]:
            del known[old]
        self._save()

    def _load(self) -> dict[str, list[float]]:
        if self._seconds is None:
            self._seconds = {}
            if self._path is not None:
                try:
                    content = json.loads(self._path.read_text())
                    self._seconds = {str(name): [float(one) for one in many] for name, many in content.items()}
                except FileNotFoundError:
                    pass
                except (OSError, ValueError, TypeError, AttributeError) as error:
                    self._log.debug("The times that servers take to start cannot be read: %s", error)
        return self._seconds

    def _save(self) -> None:
        if self._path is None:
            return
        temporary = ""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
                temporary = file.name
                json.dump(self._seconds, file)
            os.replace(temporary, self._path)
        except OSError as error:
            self._log.debug("The times that servers take to start cannot be written: %s", error)
            if temporary:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)  # each start would add another
