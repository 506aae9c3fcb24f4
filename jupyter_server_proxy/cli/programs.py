"""Checks of ``doctor``: could a server's command be run?"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import StartFailed
from ..rules.masking import mask_words
from ..rules.place import place_arguments
from ..rules.spec import ServerSpec
from ..supervise.command import render_command, render_environment
from .finding import Finding, known_secrets, mask_text

#: Stands for the port that a server would be given; unlikely to be in a command for another reason.
SAMPLE_PORT = 61437
#: Likewise for a unix socket.
SAMPLE_SOCKET = "/tmp/jupyter-server-proxy-a1b2c3d4/socket"

_INSTALL = "Install it, or write its full path into the command."


@dataclass(frozen=True)
class Command:
    """What would be run.

    Args:
        words: of the command; empty where the server is not ours to start.
        environment: variables that the configuration sets.
        findings: errors of callables and templates.
    """

    words: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()

    @property
    def shown(self) -> str:
        """As a line, without secrets, and with placeholders for what is chosen at the start."""
        line = shlex.join(mask_words(self.words, known_secrets()))
        return line.replace(str(SAMPLE_PORT), "{port}").replace(SAMPLE_SOCKET, "{unix_socket}")


def render(spec: ServerSpec, base_url: str) -> Command:
    """Fill in the command and the environment, as a start would; callables of these two options are called."""
    try:
        arguments = sample_arguments(spec, base_url)
        return Command(render_command(spec, arguments), render_environment(spec, arguments))
    except StartFailed as failed:
        reason = mask_text(failed.message)
    except Exception as error:
        reason = f"The command cannot be filled in: {type(error).__name__}: {mask_text(str(error))}"
    except SystemExit:
        reason = "The callable of its command or environment ends the program."
    return Command(findings=[Finding("error", reason, "Correct the option.", spec.name)])


def sample_arguments(spec: ServerSpec, base_url: str) -> dict[str, Any]:
    """The template arguments that a start would have, with samples for what is chosen then."""
    path = spec.unix_socket
    port = 0 if path else spec.port or SAMPLE_PORT
    own = {"port": port, "unix_socket": SAMPLE_SOCKET if path is True else path or ""}
    return {**own, **place_arguments(base_url, base_url + spec.name, "", os.environ)}


def check_directory(spec: ServerSpec) -> Iterator[Finding]:
    """``cwd``"""
    cwd = spec.lifecycle.cwd
    if cwd and not os.path.isdir(cwd):
        yield Finding("error", f"There is no directory {cwd!r} to run in.", "Correct the option cwd.", spec.name)
    elif cwd and not os.access(cwd, os.X_OK):
        yield Finding(
            "error", f"The directory {cwd!r} cannot be entered.", "Change its mode, or the option cwd.", spec.name
        )
    elif cwd and not os.path.isabs(cwd):
        yield Finding(
            "warning", f"The directory {cwd!r} depends on where Jupyter is started.", "Write its full path.", spec.name
        )


def check_program(spec: ServerSpec, command: Command) -> Iterator[Finding]:
    """The first word: is there such a program, and may we run it?"""
    if not command.words:
        return
    program, cwd = command.words[0], os.path.abspath(spec.lifecycle.cwd or os.getcwd())
    if os.path.dirname(program):
        path: str | None = os.path.join(cwd, program)
    else:
        path = shutil.which(program, path=command.environment.get("PATH"))
    if path is None:
        yield Finding("error", f"There is no program {program!r} in PATH.", _INSTALL, spec.name)
    elif not os.path.exists(path):
        where = "" if os.path.isabs(program) else f" in {cwd}"
        yield Finding("error", f"There is no program {program!r}{where}.", _INSTALL, spec.name)
    elif os.path.isdir(path) or not os.access(path, os.X_OK):
        what = "is a directory" if os.path.isdir(path) else "is not executable"
        yield Finding("error", f"{program!r} {what}.", "Name a program that can be run, or chmod +x it.", spec.name)
    elif (interpreter := _interpreter(path)) and not os.path.exists(interpreter):
        yield Finding(
            "error",
            f"{program!r} cannot be run: its first line names {interpreter!r}, which does not exist.",
            "Install it again in this environment: it may have been moved.",
            spec.name,
        )
    else:
        yield from _check_module(spec, path, command.words)


def _interpreter(path: str) -> str:
    """What the first line of a script names."""
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return ""
    words = line[2:].split() if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else ""


def _check_module(spec: ServerSpec, path: str, words: Sequence[str]) -> Iterator[Finding]:
    """``python -m module``: of our own Python it is known which modules it has."""
    if len(words) < 3 or words[1] != "-m" or os.path.abspath(path) != os.path.abspath(sys.executable):
        return
    module = words[2].partition(".")[0]
    try:
        missing = importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        missing = True
    if missing and not os.path.exists(os.path.join(spec.lifecycle.cwd or ".", module)):
        yield Finding(
            "error",
            f"Python at {path} has no module {module!r}.",
            "Install the package that has it in the same environment.",
            spec.name,
        )
