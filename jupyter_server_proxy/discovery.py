"""All servers: those of the configuration, and those that packages announce as ``jupyter_serverproxy_servers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import ServerProcess, ServerProxy, describe_failure, make_server_process
from .errors import ConfigurationError
from .option import Log

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "jupyter_serverproxy_servers"


def discover(log: Log) -> list[ServerProcess]:
    """Import and call every entry point; each returns the options of one server, or a ServerProcess.

    An entry point that cannot be imported, fails, or returns something wrong is skipped, with one warning that names it
    and its package: a broken plugin never takes another one down. Only KeyboardInterrupt ends the search.

    Args:
        log: gets the warnings.
    """
    from importlib.metadata import entry_points  # costs import time that only this function needs

    try:
        found = list(entry_points(group=GROUP))
    except Exception as error:
        log.warning(
            "the installed packages cannot be searched for servers (%s: %s); only configured servers are available",
            type(error).__name__,
            error,
        )
        return []
    servers = []
    for entry_point in found:
        try:
            servers.append(_read(entry_point, log))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Also SystemExit: a plugin that calls sys.exit() must not end Jupyter.
            log.warning(
                "%s (entry point %r of %s); this server is skipped",
                describe_failure(entry_point.name, error),
                entry_point.value,
                _package(entry_point),
            )
    return servers


def _read(entry_point: EntryPoint, log: Log) -> ServerProcess:
    name = entry_point.name
    function = _attempt(name, "cannot be imported", entry_point.load, "install what its package needs, or uninstall it")
    if not callable(function):
        raise ConfigurationError(
            f"server {name!r}: its entry point must be a function that returns a dictionary, "
            f"got a value of type {type(function).__name__}"
        )
    remedy = "install or set what it asks for, or uninstall its package"
    return make_server_process(name, _attempt(name, "failed when it was called", function, remedy), log=log)


def _attempt(name: str, what: str, function: Any, remedy: str) -> Any:
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise ConfigurationError(f"server {name!r}: its entry point {what}: {reason}; {remedy}") from error


def _package(entry_point: EntryPoint) -> str:
    try:
        distribution = entry_point.dist
        return f"{distribution.name} {distribution.version}" if distribution else "an unknown package"
    except Exception:  # its metadata may be damaged
        return "an unknown package"


def read_servers(proxy: ServerProxy, log: Log) -> list[ServerProcess]:
    """All servers: those of ``ServerProxy.servers``, then those of installed packages.

    Where two have one name, the first is kept, and the log says so: people override the server of a package by
    configuring one of the same name.
    """
    servers: dict[str, ServerProcess] = {}
    for server in [*proxy.servers.values(), *discover(log)]:
        if server.name in servers:
            log.info("server %r is defined more than once; the configuration, or else the first, is used", server.name)
        else:
            servers[server.name] = server
    return list(servers.values())
