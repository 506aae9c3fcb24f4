"""What each command does with a running Jupyter server; see ``main`` for their arguments."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from .client import Client
from .console import Console
from .failure import ExitCode, Failure
from .table import NOTHING, describe_age, describe_size, layout

#: Makes a client of the Jupyter server that the arguments mean; may be called again.
Connect = Callable[[], Client]

_HEADER = ("NAME", "STATE", "SINCE", "PID", "MEMORY", "REQUESTS", "URL")
_RIGHT = (2, 3, 4, 5)
_STATE_COLOURS = {"ready": "green", "starting": "yellow", "stopping": "yellow", "failed": "red", "stopped": "grey"}


def list_servers(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``list``"""
    client = connect()
    servers = client.servers()
    if console.as_json:
        console.print_json({"servers": servers})
        return
    if not servers:
        console.tell("No server is configured.")
        return
    now = time.time()
    table = layout(_HEADER, [_row(server, client, now) for server in servers], _RIGHT)
    console.print(console.style("  ".join(table[0]), "bold"))
    for server, cells in zip(servers, table[1:], strict=True):
        cells[1] = console.style(cells[1], _STATE_COLOURS.get(server["state"], ""))
        console.print("  ".join(cells))
    for server in servers:
        if server["failure"]:
            console.print(f"\n{server['name']}: {server['failure']['message']}")


def _row(server: dict[str, Any], client: Client, now: float) -> list[str]:
    process = server["process"] or {}
    return [
        server["name"],
        server["state"],
        describe_age(server["since"], now),
        str(server["pid"] or NOTHING),
        describe_size(process.get("memory_bytes")),
        str(server["requests"]),
        client.jupyter.link(server["url"]),
    ]


def start(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``start``"""
    _act(console, connect(), "start", arguments.name, wait=not arguments.no_wait)


def restart(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``restart``"""
    _act(console, connect(), "restart", arguments.name, wait=not arguments.no_wait)


def _act(console: Console, client: Client, action: str, name: str, wait: bool) -> None:
    client.find(name)
    console.tell_progress(f"{name}: {action}; Ctrl-C leaves it alone" if wait else f"{name}: {action}")
    server = client.act(name, action, wait)
    if console.as_json:
        console.print_json(server)
        return
    console.print(f"{name} is {server['state']}: {client.jupyter.link(server['url'])}")


def stop(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``stop``: all names are known, or nothing is done; one that cannot be stopped leaves the others to be."""
    client = connect()
    if arguments.all:
        names = [server["name"] for server in client.servers() if _may_run(server)]
    else:
        names = list(dict.fromkeys(arguments.name))
        client.find(*names)
    stopped, failures = [], []
    for name in names:
        console.tell_progress(f"{name}: stop")
        try:
            stopped.append(client.act(name, "stop"))
        except Failure as failure:
            if failure.code is not ExitCode.FAILED:
                raise
            failures.append(failure.message)
            continue
        if not console.as_json:
            console.print(f"{name} is {stopped[-1]['state']}")
    if failures:
        raise Failure("\n".join(failures), details={"stopped": stopped})
    if console.as_json:
        console.print_json({"servers": stopped})
    elif not names:
        console.tell("No server runs.")


def _may_run(server: dict[str, Any]) -> bool:
    """Whether it is ours and runs, or will be started by itself after a pause."""
    starts_itself = server["state"] == "failed" and server["restart_policy"] in ("always", "on-failure")
    return bool(server["managed"]) and (server["state"] not in ("stopped", "failed") or starts_itself)


def open_server(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``open``"""
    client = connect()
    (server,) = client.find(arguments.name)
    if client.jupyter.socket and not client.jupyter.public_url:
        raise Failure(f"Jupyter listens on {client.jupyter.place}, where no browser can reach it.")
    url = client.jupyter.link(server["url"])
    shown = _with_token(url, client.jupyter.token) if arguments.show_token else url
    opened = not arguments.print and _open_browser(url)
    if console.as_json:
        console.print_json({"name": server["name"], "url": shown, "opened": opened})
    elif opened and not arguments.show_token:
        console.tell(f"Opened {url}")
    else:
        if not arguments.print and not opened:
            console.tell("There is no browser here; open this address in one:")
        console.print(shown)


def _with_token(url: str, token: str) -> str:
    if not token:
        return url
    joint = "&" if urlsplit(url).query else "?"
    return f"{url}{joint}{urlencode({'token': token})}"


def _open_browser(url: str) -> bool:
    """The browser asks for the login itself: other users could read a token among its arguments."""
    import webbrowser

    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
