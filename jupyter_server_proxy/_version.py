"""The version of the distribution; pyproject.toml reads it from here."""

from __future__ import annotations

__version__ = "4.90.0"
