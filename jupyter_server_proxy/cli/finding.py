"""What ``doctor`` finds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..rules.credentials import SECRET_VARIABLES
from ..rules.masking import mask_words

Severity = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        severity: an error keeps something from working; a warning may.
        what: was found.
        remedy: what to do; "" where there is nothing to do.
        server: that it is about; None for the configuration as a whole.
    """

    severity: Severity
    what: str
    remedy: str = ""
    server: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def mask_text(text: str) -> str:
    """A message of somebody else, such as an exception, without the secrets that it may hold."""
    return " ".join(mask_words(text.split(" "), known_secrets()))


def known_secrets() -> Sequence[str]:
    """Values of the environment that must not be shown."""
    return [value for name in SECRET_VARIABLES if (value := os.environ.get(name))]
