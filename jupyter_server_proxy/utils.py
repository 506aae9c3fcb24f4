"""An import path of jupyter-server-proxy 4.6, kept for packages that use it."""

from __future__ import annotations

from .rules.template import call_with_asked_args

__all__ = ["call_with_asked_args"]
