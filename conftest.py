"""Test configuration of the whole tree: pytest-jupyter runs the ``async def`` tests."""

from __future__ import annotations

pytest_plugins = ["pytest_jupyter.jupyter_server"]
