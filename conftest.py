"""Test configuration of the whole tree: pytest-jupyter runs the ``async def`` tests."""

from __future__ import annotations

from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["pytest_jupyter.jupyter_server"]
