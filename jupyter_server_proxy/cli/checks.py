"""Checks of ``doctor``: could the servers start, and be reached? Nothing is started or changed."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..rules.options import MAX_SOCKET_PATH
from ..rules.paths import JUPYTER_PATHS
from ..rules.spec import ServerSpec
from ..supervise.endpoint import is_answered, is_free
from ..supervise.ownership import describe_listener
from .finding import Finding
from .programs import SAMPLE_PORT, SAMPLE_SOCKET, Command, check_directory, check_program, render

#: Seconds that are suspicious.
_SHORT_START, _LONG_START, _LONG_STOP, _SHORT_IDLE = 1.0, 600.0, 60.0, 60.0


def check_servers(specs: Sequence[ServerSpec], base_url: str, jupyter_port: int) -> Iterator[Finding]:
    """All checks of all servers; one that passes them gets a finding that says so.

    Args:
        specs: of the servers.
        base_url: of Jupyter; begins and ends with "/".
        jupyter_port: on which Jupyter is told to listen; 0 if it is not.
    """
    shared = list(_check_shared(specs))
    for spec in specs:
        command = render(spec, base_url)
        findings = [
            *command.findings,
            *check_name(spec),
            *check_directory(spec),
            *check_program(spec, command),
            *check_address(spec, command, jupyter_port),
            *check_times(spec),
            *check_files(spec),
            *(finding for finding in shared if finding.server == spec.name),
        ]
        if not findings:
            what = f"would run: {command.shown}" if command.words else "is not ours to start, and listens."
            findings = [Finding("ok", what, server=spec.name)]
        yield from findings


def check_name(spec: ServerSpec) -> Iterator[Finding]:
    """Is the URL somebody else's?"""
    first = spec.name.partition("/")[0]
    if first in JUPYTER_PATHS:
        yield Finding(
            "error", f"It takes the place of /{first}/, which is a URL of Jupyter itself.", "Choose another name.",
            spec.name,
        )  # fmt: skip


# ---- where it listens


def check_address(spec: ServerSpec, command: Command, jupyter_port: int) -> Iterator[Finding]:
    """The port, or the unix socket."""
    if command.findings:
        return
    if spec.unix_socket:
        yield from _check_socket(spec, command)
    elif not command.words and not spec.port:
        yield Finding(
            "error", "Its command is empty, and there is no port to connect to.", "Set command or port.", spec.name
        )
    elif spec.port:
        yield from _check_port(spec, command, jupyter_port)
    if command.words and not spec.port and not spec.lifecycle.find_port:
        yield from _check_told(spec, command)


def _check_told(spec: ServerSpec, command: Command) -> Iterator[Finding]:
    """Is a server whose address is chosen by us told that address?"""
    placeholder, sample = ("unix_socket", SAMPLE_SOCKET) if spec.unix_socket else ("port", str(SAMPLE_PORT))
    if isinstance(spec.unix_socket, str):
        sample = spec.unix_socket
    if not any(sample in text for text in [*command.words, *command.environment.values()]):
        fixed = " Or set find_port, or the port on which it always listens." if placeholder == "port" else ""
        yield Finding(
            "warning",
            f"Neither its command nor its environment has {{{placeholder}}}, so it is not told where to listen.",
            f"Put {{{placeholder}}} where it takes its address from.{fixed}",
            spec.name,
        )


def _check_port(spec: ServerSpec, command: Command, jupyter_port: int) -> Iterator[Finding]:
    port = spec.port
    choose = "Leave port away, so that a free one is chosen, or choose another."
    if port == jupyter_port:
        yield Finding("error", f"Port {port} is the one of Jupyter itself.", choose, spec.name)
    elif not command.words:
        if is_free(port):
            yield Finding(
                "warning", f"Nothing listens on port {port}.", "Start what should; Jupyter has no command for it.",
                spec.name,
            )  # fmt: skip
    elif port < _first_unprivileged_port() and os.geteuid() != 0:
        yield Finding("error", f"Only root may listen on port {port}.", choose, spec.name)
    elif not is_free(port):
        holder = describe_listener(port)
        if _is_child_of_jupyter(holder):
            return
        yield Finding("error", f"Port {port} is taken by {holder}.", f"Stop that process. {choose}", spec.name)


def _first_unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def _is_child_of_jupyter(holder: str) -> bool:
    """Whether it is the server itself, started by a Jupyter that runs."""
    import psutil

    from .running import list_running

    found = re.match(r"process (\d+)", holder)
    if found is None:
        return False
    try:
        ancestors = {process.pid for process in psutil.Process(int(found[1])).parents()}
    except psutil.Error:
        return False
    return any(info.get("pid") in ancestors for info in list_running())


def _check_socket(spec: ServerSpec, command: Command) -> Iterator[Finding]:
    path = spec.unix_socket
    if not isinstance(path, str):
        length = len(os.fsencode(tempfile.gettempdir())) + len(SAMPLE_SOCKET) - len("/tmp")
        if length > MAX_SOCKET_PATH:
            yield Finding(
                "error",
                f"Paths of unix sockets have at most {MAX_SOCKET_PATH} bytes; in {tempfile.gettempdir()} it has more.",
                "Set TMPDIR to a shorter path for Jupyter.",
                spec.name,
            )
        return
    folder = os.path.dirname(path)
    change = "Correct unix_socket; True lets Jupyter choose a private place."
    try:
        mode = os.stat(folder).st_mode
        found = os.lstat(path) if os.path.lexists(path) else None
    except OSError as error:
        yield Finding("error", f"{path} cannot be used: {error.strerror}.", change, spec.name)
        return
    if not os.access(folder, os.W_OK | os.X_OK) and command.words:
        yield Finding("error", f"{path} cannot be used: {folder} is not writable.", change, spec.name)
    elif mode & stat.S_IWOTH:
        yield Finding(
            "warning", f"In {folder} other users can put a socket of their own at {path} first.", change, spec.name
        )
    if found is not None and found.st_uid != os.geteuid():
        yield Finding("error", f"{path} belongs to another user.", change, spec.name)
    elif found is not None and not stat.S_ISSOCK(found.st_mode) and (found.st_size or not stat.S_ISREG(found.st_mode)):
        yield Finding("error", f"{path} is not a socket.", change, spec.name)
    elif not command.words and (found is None or not is_answered(path)):
        yield Finding(
            "warning", f"Nothing listens at {path}.", "Start what should; Jupyter has no command for it.", spec.name
        )


def _check_shared(specs: Sequence[ServerSpec]) -> Iterator[Finding]:
    """Addresses and files that several servers have."""
    holders: dict[str, list[ServerSpec]] = defaultdict(list)
    for spec in specs:
        if isinstance(spec.unix_socket, str):
            holders[f"the unix socket {spec.unix_socket}"].append(spec)
        elif spec.port and not spec.unix_socket:
            holders[f"port {spec.port}"].append(spec)
        if spec.lifecycle.log_file.path:
            holders[f"the log file {spec.lifecycle.log_file.path}"].append(spec)
    for place, sharing in holders.items():
        started = [spec for spec in sharing if spec.command]
        for spec in started if len(started) > 1 else ():
            others = ", ".join(other.name for other in started if other is not spec)
            is_file = place.startswith("the log file")
            yield Finding(
                "warning" if is_file else "error",
                f"It has {place}, like {others}{'' if is_file else ': only one of them can run'}.",
                "Give each its own." if is_file else "Give each its own, or none, so that free ones are chosen.",
                spec.name,
            )


# ---- the rest


def check_times(spec: ServerSpec) -> Iterator[Finding]:
    """Seconds that look like a mistake, such as milliseconds."""
    lifecycle = spec.lifecycle
    if spec.command and spec.timeout < _SHORT_START:
        what = f"It has to answer within {spec.timeout:g} s of its start, which few programs do."
        yield Finding("warning", what, "Raise timeout.", spec.name)
    if spec.command and spec.timeout > _LONG_START:
        what = f"A start that fails shows only after {spec.timeout:g} s."
        yield Finding("warning", what, "Lower timeout; it is in seconds.", spec.name)
    if lifecycle.stop_timeout > _LONG_STOP:
        what = f"When it hangs, Jupyter takes {lifecycle.stop_timeout:g} s to stop."
        yield Finding("warning", what, "Lower stop_timeout; it is in seconds.", spec.name)
    if lifecycle.idle_timeout and lifecycle.idle_timeout < _SHORT_IDLE:
        what = f"It is stopped after {lifecycle.idle_timeout:g} s without use, while people still read its pages."
        yield Finding("warning", what, "Raise idle_timeout; it is in seconds.", spec.name)


def check_files(spec: ServerSpec) -> Iterator[Finding]:
    """Icon and log file. (That an icon exists is checked where the configuration is read.)"""
    icon = spec.launcher.icon_path
    if icon and os.path.isfile(icon):
        if not os.access(icon, os.R_OK):
            yield Finding("warning", f"The icon {icon} cannot be read.", "Change its mode.", spec.name)
        elif not os.path.isabs(icon):
            yield Finding(
                "warning", f"The icon {icon} is found only from this directory.", "Write its full path.", spec.name
            )
        elif not icon.lower().endswith(".svg"):
            yield Finding("warning", f"The icon {icon} is not an SVG file.", "JupyterLab shows only these.", spec.name)
    log_file = spec.lifecycle.log_file.path
    folder = os.path.dirname(os.path.abspath(log_file))
    if log_file and not os.access(folder, os.W_OK | os.X_OK):
        what = "is not writable" if os.path.isdir(folder) else "does not exist"
        yield Finding("warning", f"{folder}, the directory of its log file, {what}.", "Correct log_file.", spec.name)
