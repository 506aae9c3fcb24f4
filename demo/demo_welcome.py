"""A small Jupyter Server extension that says where the demo begins, below the addresses that Jupyter prints."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "demo_welcome"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """Wait until Jupyter has printed its addresses, then print ours."""

    def welcome() -> None:
        address = serverapp.connection_url + "demo-files/"  # with --port 0 it is known only now
        serverapp.log.info("\n    The demo begins at %s\n    (log in by one of the addresses above first)\n", address)

    serverapp.io_loop.call_later(1.0, welcome)
