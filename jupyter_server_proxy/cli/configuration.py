"""Jupyter's configuration as the server would read it, without a server.

It is read by Jupyter's own ``JupyterApp``, the base of ServerApp, which looks for files and runs them; so the places,
their order and the way they are merged are the same. ServerApp itself is not used: it takes a second to import, applies
what the files say about itself, and would have to be initialized, with sockets and extensions, to read more.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.application import JupyterApp
from traitlets.config import Config

from .failure import ExitCode, Failure
from .finding import Finding, mask_text

EXTENSION = "jupyter_server_proxy"

#: Extensions that are applications read files of their own, whose content holds for all; earlier ones win.
_FILES_OF_EXTENSIONS = {
    EXTENSION: "jupyter_jupyter_server_proxy_config",
    "jupyterlab": "jupyter_lab_config",
    "notebook": "jupyter_notebook_config",
}


class Recorder(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def take(self) -> list[logging.LogRecord]:
        """What was logged since the last time."""
        taken, self.records = self.records, []
        return taken


@dataclass
class JupyterConfiguration:
    """What was read.

    Args:
        config: all of it.
        directories: that are searched, the most important first.
        extensions: whether they are enabled, by name.
        files: that were read.
        findings: about the files.
    """

    config: Config
    directories: list[str]
    extensions: dict[str, bool] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def setting(self, name: str, default: Any) -> Any:
        """A trait of ServerApp."""
        return self.config.ServerApp.get(name, default) if "ServerApp" in self.config else default


@contextlib.contextmanager
def recording() -> Iterator[tuple[logging.Logger, Recorder]]:
    """Our logger, whose messages are recorded and go nowhere else."""
    log, recorder = logging.getLogger(EXTENSION), Recorder()
    before = log.level, log.propagate, log.handlers[:]
    log.setLevel(logging.INFO)
    log.propagate, log.handlers = False, [recorder]
    try:
        yield log, recorder
    finally:
        log.setLevel(before[0])
        log.propagate, log.handlers = before[1:]


def read_configuration(file: str, log: logging.Logger, recorder: Recorder) -> JupyterConfiguration:
    """Read all files.

    Args:
        file: that is read instead of jupyter_server_config; "" for none.
        log: is used meanwhile.
        recorder: of that.

    Raises:
        Failure: there is no such file.
    """
    if file and not os.path.isfile(file):
        raise Failure(f"There is no file {file}.", ExitCode.USAGE)
    own, findings = _read("jupyter_server_config", os.path.abspath(file) if file else "", log, recorder)
    found = JupyterConfiguration(own.config, own.config_file_paths, {}, list(own.loaded_config_files), findings)
    try:
        found.extensions = _read_extensions(found)
    except (AttributeError, TypeError, ValueError) as error:
        remedy = "It must be a dictionary of True and False, in all files."
        found.findings.append(Finding("error", f"jpserver_extensions cannot be read: {mask_text(str(error))}", remedy))
    found.findings += _look_into_directories(found.directories)
    for extension in sorted(_FILES_OF_EXTENSIONS):
        if found.extensions.get(extension):
            reader, findings = _read(_FILES_OF_EXTENSIONS[extension], "", log, recorder)
            found.findings += [finding for finding in findings if finding not in found.findings]
            found.files += [name for name in reader.loaded_config_files if name not in found.files]
            merged = Config(reader.config)
            merged.merge(found.config)
            found.config = merged
    return found


def _read(name: str, file: str, log: logging.Logger, recorder: Recorder) -> tuple[JupyterApp, list[Finding]]:
    app = JupyterApp(log=log, config_file_name=name, config_file=file)
    findings = []
    try:
        app.load_config_file()
    except SystemExit as error:
        findings.append(
            Finding(
                "error",
                f"The configuration ends Jupyter (exit code {error.code}).",
                "Look for a file that calls sys.exit, or for an option of Jupyter that is wrong.",
            )
        )
    for record in recorder.take():
        findings.append(_describe_record(record))
    return app, findings


def _describe_record(record: logging.LogRecord) -> Finding:
    message = mask_text(record.getMessage())
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        message = f"{message}: {type(error).__name__}: {mask_text(str(error))}{_line_of(error, record)}"
        return Finding("error", message, "Correct the file: Jupyter leaves all of it out.")
    return Finding("error" if record.levelno >= logging.ERROR else "warning", message, "Correct the file.")


def _line_of(error: BaseException, record: logging.LogRecord) -> str:
    """Where in the configuration file an exception was raised."""
    file = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
    traceback, line = error.__traceback__, 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""


def _read_extensions(found: JupyterConfiguration) -> dict[str, bool]:
    """What packages enable by files in jupyter_server_config.d; configuration overrides it."""
    from jupyter_server.extension.config import ExtensionConfigManager

    manager: Any = ExtensionConfigManager(read_config_path=found.directories)
    configured = found.setting("jpserver_extensions", {})
    if hasattr(configured, "get_value"):
        configured = configured.get_value({})
    return {**manager.get_jpserver_extensions(), **configured}


def _look_into_directories(directories: list[str]) -> Iterator[Finding]:
    """Of those files Jupyter takes nothing but what they say about extensions."""
    for directory in directories:
        for path in sorted(Path(directory, "jupyter_server_config.d").glob("*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8") or "{}")
            except (OSError, ValueError) as error:
                yield Finding("warning", f"{path} cannot be read: {mask_text(str(error))}", "Correct the file.")
                continue
            if isinstance(content, dict) and "ServerProxy" in content:
                target = Path(directory, "jupyter_server_config.json")
                yield Finding(
                    "error",
                    f"{path} has a section ServerProxy, which Jupyter does not read in this directory.",
                    f"Move it to {target}, or to a file of Python such as {target.with_suffix('.py').name}.",
                )


def check_extension(found: JupyterConfiguration) -> Finding:
    """Is the extension enabled?"""
    enable = f"Run: jupyter server extension enable {EXTENSION}"
    if found.extensions.get(EXTENSION):
        return Finding("ok", "The extension is enabled.")
    if EXTENSION in found.extensions:
        return Finding("error", f"The extension is switched off: jpserver_extensions has {EXTENSION}: False.", enable)
    return Finding(
        "error",
        f"The extension is not enabled: no jupyter_server_config.d of the searched directories names it. "
        f"Is Jupyter installed in the same environment ({sys.prefix})?",
        enable,
    )
