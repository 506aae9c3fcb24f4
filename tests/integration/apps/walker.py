"""A Jupyter Server extension that looks through the routes for the process of a server, as some packages do."""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import web


def find_state(application: Any, name: str) -> dict[str, Any] | None:
    """The state of the route that has the server's name."""
    for rule in application.default_router.rules:
        for inner in getattr(rule.target, "rules", ()):
            state = (inner.target_kwargs or {}).get("state")
            regex = getattr(inner.matcher, "regex", None)
            if isinstance(state, dict) and regex is not None and f"/{name}" in regex.pattern:
                return state
    return None


class Walk(JupyterHandler):
    """Stops a server, and tells what it saw."""

    @web.authenticated
    async def get(self, name: str) -> None:
        if name == "asked":
            from jupyter_server_proxy.handlers import ProxyHandler

            self.finish({"asked": getattr(ProxyHandler, "asked", 0)})
            return
        state = find_state(self.application, name)
        assert state is not None
        async with state["proc_lock"]:
            process = state["proc"]
            seen = {"running": process.running, "pid": process.proc.pid}
            await process.terminate()
            await process.proc.wait()
            seen |= {"ended": not process.running, "returncode": process.proc.returncode, "after": process.running}
            del state["proc"]
        self.finish(seen)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "walker"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    base_url = serverapp.web_app.settings["base_url"]
    serverapp.web_app.add_handlers(".*", [(base_url + "walk/(.*)", Walk)])
