"""``doctor``: is the configuration sound, and could the servers start?

Says what it finds in the words that Jupyter's log would use, where there are such: the same functions read the
configuration, and what they log is collected here.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import re
import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from traitlets import TraitError
from traitlets.config import Config

from ..config import ServerProcess, ServerProxy
from ..discovery import read_servers
from .checks import check_servers
from .configuration import JupyterConfiguration, Recorder, check_extension, read_configuration, recording
from .console import Console
from .failure import ExitCode
from .finding import Finding, mask_text

_SERVER = re.compile(r"""server (['"])(.+?)\1""")
_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}
_ORDER = ("error", "warning", "ok")

#: What to do about what is logged: a part of the message, its severity, the remedy.
_REMEDIES: tuple[tuple[str, str, str], ...] = (
    ("(entry point", "error", "Update or uninstall the package that it names. Until then Jupyter does without it."),
    ("this server is skipped", "error", "Correct it. Until then Jupyter does without this server."),
    ("unknown key", "warning", "Correct or remove it; the documentation of the configuration lists all options."),
    ("icon_path", "warning", "Correct the path. Until then launchers show no icon."),
    ("defined more than once", "warning", "Rename one, unless it is to replace the other."),
    ("deprecated", "warning", "Use the new name."),
    ("cannot be searched", "error", "Reinstall the package whose metadata is damaged."),
)


def diagnose(console: Console, arguments: Namespace) -> int:
    """Look at everything, and report it.

    Returns:
        The exit code.

    Raises:
        Failure: the file that was named does not exist.
    """
    # What configuration files and packages print must not get into the results.
    with recording() as (log, recorder), contextlib.redirect_stdout(sys.stderr):
        found = read_configuration(arguments.config, log, recorder)
        findings = [check_extension(found), *found.findings]
        proxy, of_traits = read_traits(found.config, recorder)
        findings += of_traits
        servers = read_servers(proxy, log)
        findings += [describe_record(record) for record in recorder.take()]
        findings += _check(servers, found)
    findings = _group(findings)
    _report(console, findings, found)
    return ExitCode.FAILED if any(finding.severity == "error" for finding in findings) else ExitCode.OK


def _group(findings: list[Finding]) -> list[Finding]:
    """What is said about one server together; what is said about none, first."""
    order = {server: number for number, server in enumerate(dict.fromkeys(f.server for f in findings))}
    return sorted(findings, key=lambda finding: -1 if finding.server is None else order[finding.server])


def _check(servers: list[ServerProcess], found: JupyterConfiguration) -> Iterator[Finding]:
    specs = []
    for server in servers:
        try:
            specs.append(server.spec())
        except Exception as error:  # a subclass may raise anything
            yield Finding("error", mask_text(str(error)), "Correct its options.", server.name)
    base_url = str(found.setting("base_url", "/")).strip("/")
    jupyter_port = found.setting("port", 0)
    yield from check_servers(
        specs,
        base_url=f"/{base_url}/" if base_url else "/",
        jupyter_port=jupyter_port if isinstance(jupyter_port, int) else 0,
    )


def read_traits(config: Config, recorder: Recorder) -> tuple[ServerProxy, list[Finding]]:
    """``ServerProxy`` with all traits that are valid.

    Args:
        config: Jupyter's.
        recorder: of what is logged meanwhile.
    """
    findings = list(_check_sections(config))
    section: Mapping[str, Any] = config.ServerProxy if "ServerProxy" in config else {}
    known = ServerProxy.class_trait_names(config=True)
    valid = {}
    for name, value in section.items():
        if name not in known:
            findings.append(
                Finding(
                    "warning",
                    f"c.ServerProxy.{name} is not known, and ignored.{_suggest(name, known)}",
                    "Correct or remove it.",
                )
            )
            continue
        try:
            ServerProxy(config=Config({"ServerProxy": {name: value}}))
        except Exception as error:
            remedy = "Correct it. Until then nothing is proxied: the extension does not start."
            findings.append(Finding("error", f"c.ServerProxy.{name}: {mask_text(str(error))}", remedy))
        else:
            valid[name] = value
    findings += [describe_record(record) for record in recorder.take()]
    proxy = ServerProxy(config=Config({"ServerProxy": valid}))
    recorder.take()  # the same once more
    try:
        proxy.start_timeout  # noqa: B018 - its default is read from the environment
    except TraitError as error:
        findings.append(Finding("error", mask_text(str(error)), "Correct or remove the variable."))
    return proxy, findings


def _check_sections(config: Config) -> Iterator[Finding]:
    """Names of classes that are misspelt."""
    for section in config:
        if section != "ServerProxy" and difflib.get_close_matches(section.lower(), ["serverproxy"], cutoff=0.8):
            yield Finding(
                "warning", f"c.{section} is not known, and ignored. Did you mean c.ServerProxy?", "Correct the name."
            )


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def describe_record(record: logging.LogRecord) -> Finding:
    """What the configuration's own checks have logged."""
    message = mask_text(record.getMessage())
    server = _SERVER.match(message)
    severity, remedy = next(
        ((severity, remedy) for part, severity, remedy in _REMEDIES if part in message), ("warning", "Correct it.")
    )
    message = message.replace("; this server is skipped", "")
    if server and message.startswith(": ", server.end()):
        message = message[server.end() + 2 :]
    return Finding(severity, message, remedy, server[2] if server else None)  # type: ignore[arg-type]


# ---- the report


def _report(console: Console, findings: list[Finding], found: JupyterConfiguration) -> None:
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in _ORDER}
    if console.as_json:
        console.print_json(
            {
                "files": found.files,
                "directories": found.directories,
                "findings": [finding.as_json() for finding in findings],
                "errors": counts["error"],
                "warnings": counts["warning"],
            }
        )
        return
    console.print(
        "Configuration files, the most important first:" if found.files else "No configuration file was found in:"
    )
    for path in reversed(found.files) if found.files else found.directories:
        console.print(f"  {_shorten(path)}")
    console.print()
    for finding in findings:
        _print_finding(console, finding)
    console.print()
    console.print(f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}, {counts['ok']} ok")


def _print_finding(console: Console, finding: Finding) -> None:
    width = shutil.get_terminal_size().columns if console.has_colours else 10_000
    what = finding.what
    if finding.server is not None and not _SERVER.match(what):
        what = f"{finding.server}: {what}"
    margin = " " * 9
    text = textwrap.wrap(what, max(40, width - len(margin))) or [""]
    console.print(console.style(finding.severity.ljust(len(margin)), _STYLES[finding.severity]) + text[0])
    for line in [*text[1:], *textwrap.wrap(finding.remedy, max(40, width - len(margin)))]:
        console.print(margin + line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _shorten(path: str) -> str:
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path
