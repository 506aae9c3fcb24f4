"""Why a server did not start, in words that name the server, the reason, and the remedy."""

from __future__ import annotations

import os
import shutil
import signal

from ..errors import StartFailed
from ..rules.spec import ServerSpec
from .endpoint import Endpoint
from .ownership import describe_listener, tree_ports
from .process import Process
from .readiness import Readiness


def describe_exit(code: int) -> str:
    """How a process ended, as a verb; ``code`` is minus the number of the signal that ended it, if one did."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def not_found(name: str, program: str, cwd: str) -> StartFailed:
    """The system says that there is no such file."""
    if not os.path.isdir(cwd):
        reason = f"there is no directory '{cwd}' to run in. Correct its option cwd."
    elif shutil.which(program):
        reason = f"'{program}' cannot be run: the interpreter in its first line does not exist."
    else:
        reason = f"there is no program '{program}'. Install it, or write its full path into the server's command."
    return StartFailed(f"Server '{name}' could not be started: {reason}")


def not_permitted(name: str, program: str, cwd: str) -> StartFailed:
    """The system says that this is not allowed."""
    if not os.access(cwd, os.X_OK):
        return StartFailed(f"Server '{name}' could not be started: the directory '{cwd}' cannot be entered.")
    return StartFailed(f"Server '{name}' could not be started: '{program}' is not executable.")


def exited(spec: ServerSpec, code: int, output: tuple[str, ...]) -> StartFailed:
    """The process ended before it was ready."""
    message = f"Server '{spec.name}' {describe_exit(code)} while it was starting."
    return StartFailed(message, exit_code=code, output=output)


def too_late(
    spec: ServerSpec,
    timeout: float,
    endpoint: Endpoint,
    readiness: Readiness,
    process: Process,
    output: tuple[str, ...],
) -> StartFailed:
    """It was not ready within ``timeout`` seconds: say what can be known about the reason."""
    where = endpoint.path if endpoint.is_unix else f"port {endpoint.port}"
    message = f"Server '{spec.name}' did not answer on {where} within {timeout:g} s."
    ports = tree_ports(process.pid, process.pid)
    if not process.running:
        message += " Its command has ended with status 0."
    elif readiness.taken and endpoint.is_unix:
        message += " Somebody else listened there already."
    elif readiness.taken and endpoint.port not in ports:
        message += f" That port was taken already by {describe_listener(endpoint.port)}."
    elif others := ports - {endpoint.port}:
        listed = ", ".join(map(str, sorted(others)))
        given = "{unix_socket}" if endpoint.is_unix else "{port}"
        message += f" It listens on port {listed} instead: use {given} in its command, or set its option find_port."
    elif readiness.not_ready:
        message = f"Server '{spec.name}' was not ready within {timeout:g} s: {readiness.not_ready}."
    else:
        message += " If it needs more time, raise its timeout."
    return StartFailed(message, exit_code=None if process.running else 0, output=output)
