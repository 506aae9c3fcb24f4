"""Which Jupyter server a command is for: the one that is named, or the one that runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .failure import ExitCode, Failure

#: What Jupyter tells as its host when it listens on all addresses of the machine.
_WILDCARDS = frozenset({"", "*", "0.0.0.0", "::", "[::]"})
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
#: What people copy from the browser ends with the page of an application.
_APPLICATION_PATH = re.compile(r"/(?:lab|tree|notebooks|edit|consoles|doc)(?:/.*)?$")


@dataclass(frozen=True)
class RunningJupyter:
    """A Jupyter server to talk to.

    Args:
        url: as which a browser on this machine reaches it, with base URL and final slash; "" with a unix socket.
        base_url: begins and ends with "/".
        token: logs in; may be empty.
        socket: path of its unix socket; "" where it listens on a port.
        verify: whether its certificate has to be valid.
        root_dir: of its contents; "" if that is not known.
        public_url: as ``url``, as people reach it.
    """

    url: str
    base_url: str = "/"
    token: str = field(default="", repr=False)
    socket: str = ""
    verify: bool = False
    root_dir: str = ""
    public_url: str = ""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self.url or f"unix:{self.socket}"

    def link(self, path: str) -> str:
        """The address of a path that begins with the base URL, as people reach it; with a unix socket the path."""
        parts = urlsplit(self.public_url or self.url)
        return f"{parts.scheme}://{parts.netloc}{path}" if parts.netloc else path


@dataclass(frozen=True)
class Choice:
    """What the options and the environment say about it.

    Args:
        url: of the server.
        token: of the server.
        port: on which it listens.
        cwd: the one whose files this is part of is preferred.
        environment: variables.
    """

    url: str = ""
    token: str = field(default="", repr=False)
    port: int = 0
    cwd: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def list_running() -> list[dict[str, Any]]:
    """What the running Jupyter servers of this user tell about themselves.

    The same as ``jupyter_server.serverapp.list_running_servers`` gives, which takes a second to import: ten times as
    long as all else that a command does.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    found = []
    for file in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            info = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # it is just being written, or removed
        if isinstance(info, dict) and isinstance(info.get("url"), str) and _runs(info.get("pid")):
            found.append(info)
    return found


def _runs(pid: Any) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def find_jupyter(choice: Choice, running: Callable[[], Iterable[Mapping[str, Any]]] = list_running) -> RunningJupyter:
    """The Jupyter server that a command is for.

    Args:
        choice: what is known.
        running: lists the running ones.

    Raises:
        Failure: there is none, or more than one.
    """
    jupyter = _from_url(choice, running) if choice.url else _choose(choice, running)
    if not jupyter.token.isascii() or not jupyter.token.isprintable():
        raise Failure("The token has characters that no token of Jupyter has.", ExitCode.USAGE)
    return jupyter


def _choose(choice: Choice, running: Callable[[], Iterable[Mapping[str, Any]]]) -> RunningJupyter:
    found = [info for info in running() if not choice.port or info.get("port") == choice.port]
    if not found:
        where = f" on port {choice.port}" if choice.port else ""
        raise Failure(
            f"There is no running Jupyter server{where}. Start one, or name one by --url.", ExitCode.NO_JUPYTER
        )
    return _from_info(found[0] if len(found) == 1 else _prefer(found, choice), choice)


def _prefer(found: list[Mapping[str, Any]], choice: Choice) -> Mapping[str, Any]:
    """The one in whose terminal we run, or else whose files are around us."""
    own = choice.environment.get("JUPYTER_SERVER_URL")
    matching = [info for info in found if own and info.get("url") == own]
    if not matching:
        around = [info for info in found if info.get("root_dir") and _contains(info["root_dir"], choice.cwd)]
        nearest = max((len(Path(info["root_dir"]).resolve().parts) for info in around), default=0)
        matching = [info for info in around if len(Path(info["root_dir"]).resolve().parts) == nearest]
    if len(matching) == 1:
        return matching[0]
    places = "\n".join(f"  {_from_info(info, choice).place}  {info.get('root_dir', '')}" for info in found)
    raise Failure(
        f"{len(found)} Jupyter servers run; say which one by --port or --url:\n{places}",
        ExitCode.NO_JUPYTER,
        {"running": [_from_info(info, choice).place for info in found]},
    )


def _contains(directory: str, path: str) -> bool:
    return Path(path).resolve().is_relative_to(Path(directory).resolve())


def _from_info(info: Mapping[str, Any], choice: Choice) -> RunningJupyter:
    """What Jupyter has written about itself. Its certificate is not looked at, as this machine is known."""
    base_url = info.get("base_url") or "/"
    environment = choice.environment
    token = choice.token or info.get("token") or environment.get("JUPYTER_TOKEN", "")
    hub_path = environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
    of_hub = bool(hub_path) and base_url.rstrip("/") == hub_path.rstrip("/")
    if not token and of_hub:
        token = environment.get("JUPYTERHUB_API_TOKEN", "")
    common: dict[str, Any] = {"base_url": base_url, "token": token, "root_dir": info.get("root_dir", "")}
    if info.get("sock"):
        return RunningJupyter("", socket=info["sock"], **common)
    url = str(info["url"]).partition("?")[0]
    if info.get("hostname", "localhost") in _WILDCARDS:
        # The name of this machine, which Jupyter tells in this case, need not be known to anybody.
        url = f"{urlsplit(url).scheme}://localhost:{info['port']}{base_url}"
    public = environment.get("JUPYTERHUB_PUBLIC_URL", "") if of_hub else ""
    return RunningJupyter(url, public_url=public, **common)


def _from_url(choice: Choice, running: Callable[[], Iterable[Mapping[str, Any]]]) -> RunningJupyter:
    try:
        parts = urlsplit(choice.url)
        port = parts.port
    except ValueError:
        raise _not_an_address() from None
    path = _APPLICATION_PATH.sub("/", parts.path).rstrip("/") + "/"
    token = choice.token or parse_qs(parts.query).get("token", [""])[0] or choice.environment.get("JUPYTER_TOKEN", "")
    if parts.scheme == "http+unix" and parts.netloc:
        return RunningJupyter("", base_url=path, token=token, socket=unquote(parts.netloc))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _not_an_address()
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
    if not token:
        same = (found for info in running() if _same(url, (found := _from_info(info, choice)).url))
        token = next((found.token for found in same), "")
    return RunningJupyter(url, base_url=path, token=token, verify=not _LOOPBACK.fullmatch(parts.hostname))


def _not_an_address() -> Failure:
    return Failure(
        "--url must be the address of Jupyter, such as http://localhost:8888/, or http+unix://%2Fpath%2Fof%2Fsocket",
        ExitCode.USAGE,
    )


def _same(url: str, other: str) -> bool:
    """Whether two addresses are one server's; all names of this machine's loopback addresses are the same."""
    if not other:
        return False
    one, two = urlsplit(url), urlsplit(other)
    hosts = {"" if _LOOPBACK.fullmatch(parts.hostname or "") else parts.hostname for parts in (one, two)}
    return len(hosts) == 1 and (one.scheme, one.port, one.path) == (two.scheme, two.port, two.path)


def choice_of(url: str, token: str, port: int) -> Choice:
    """What somebody has said by options, and the surroundings of this process."""
    return Choice(url, token, port, cwd=os.getcwd(), environment=os.environ)
