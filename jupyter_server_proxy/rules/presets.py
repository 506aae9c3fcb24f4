"""What popular frameworks have to be told to live behind a prefix: arguments, environment, and options.

A preset fills in what a configuration leaves open, and nothing else: an argument that the command has already, a
variable that ``environment`` sets, and an option that is given stay as they are.

Sources are the documents of each framework: Streamlit (configuration: ``server.*``), Gradio (environment variables),
Dash (``dash.Dash``: ``url_base_pathname``; ``app.run``: HOST, PORT), Bokeh and Panel (``bokeh serve``), Uvicorn and
FastAPI (``--root-path``), Gunicorn (SCRIPT_NAME, PEP 3333), MLflow (``mlflow server``), TensorBoard
(``--path_prefix``), Voila (``--base_url``), Shiny for Python (``shiny run``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .spec import NOTHING
from .template import call_with_asked_args


class Argument(NamedTuple):
    """An argument for a command.

    Args:
        names: of the option; the first one is used, and a command that has any of them keeps its own.
        value: a template; None for an option without a value.
    """

    names: tuple[str, ...]
    value: str | None = None

    def is_in(self, words: Sequence[str]) -> bool:
        """Whether a command has it already: ``--port 1``, ``--port=1``, ``-p 1`` or ``-p1``."""
        return any(
            word == name or word.startswith(f"{name}=" if name.startswith("--") else name)
            for word in words
            for name in self.names
        )

    @property
    def word(self) -> str:
        """As a word of a command; a template."""
        return self.names[0] if self.value is None else f"{self.names[0]}={self.value}"


class Preset(NamedTuple):
    """What one framework needs.

    Args:
        arguments: for its command.
        environment: for its process; values are templates.
        options: of ``ServerProcess``.
        socket_arguments: instead of ``arguments`` where it listens on a unix socket; None: it cannot.
        ends: words after which the command's arguments are somebody else's.
    """

    arguments: tuple[Argument, ...] = ()
    environment: Mapping[str, str] = NOTHING
    options: Mapping[str, Any] = NOTHING
    socket_arguments: tuple[Argument, ...] | None = None
    ends: tuple[str, ...] = ("--",)

    def complete(self, words: Sequence[Any], *, socket: bool) -> list[Any]:
        """The words of a command, and those arguments that they lack; nothing is added to no command.

        Args:
            words: not changed.
            socket: whether a unix socket is used.
        """
        at = next((number for number, word in enumerate(words) if word in self.ends), len(words))
        own = [str(word) for word in words[:at]]
        offered = (self.socket_arguments or ()) if socket else self.arguments
        added = [argument.word for argument in offered if not argument.is_in(own)] if words else []
        return [*words[:at], *added, *words[at:]]


def complete_command(command: Any, preset: Preset, *, socket: bool) -> Any:
    """The option ``command``, words or a callable, with what the preset adds."""
    if not callable(command):
        return preset.complete(command, socket=socket)

    def completed(**arguments: Any) -> Any:
        words = call_with_asked_args(command, arguments)
        return preset.complete(words, socket=socket) if isinstance(words, (list, tuple)) else words

    return completed


def complete_environment(environment: Any, preset: Preset) -> Any:
    """The option ``environment``, a dictionary or a callable, on top of what the preset sets."""
    if not callable(environment):
        return {**preset.environment, **environment}

    def completed(**arguments: Any) -> Any:
        own = call_with_asked_args(environment, arguments)
        return {**preset.environment, **own} if isinstance(own, Mapping) else own or dict(preset.environment)

    return completed


def _options(*texts: str) -> tuple[Argument, ...]:
    """``"--flag"`` or ``"--name|-n=value"``, each."""
    found = []
    for text in texts:
        names, equals, value = text.partition("=")
        found.append(Argument(tuple(names.split("|")), value if equals else None))
    return tuple(found)


#: People are let in by Jupyter, and reach the server by it alone.
_HERE = "127.0.0.1"

_BOKEH = Preset(
    # The browser's origin is Jupyter's, which the server cannot know; Jupyter has checked it already.
    arguments=_options(
        "--port={port}", f"--address={_HERE}", "--prefix={prefix}", "--allow-websocket-origin=*"
    ),
    options={"absolute_url": True, "timeout": 60},
    ends=("--", "--args"),
)  # fmt: skip

_UVICORN = Preset(
    # Uvicorn puts root_path in front of the path that it gets, as ASGI wants it.
    arguments=_options("--port={port}", f"--host={_HERE}", "--root-path={prefix}"),
    socket_arguments=_options("--uds={unix_socket}", "--root-path={prefix}"),
    options={"timeout": 30},
)

#: By the names that the option ``preset`` takes.
PRESETS: Mapping[str, Preset] = {
    "streamlit": Preset(
        arguments=_options(
            "--server.port={port}", f"--server.address={_HERE}", "--server.headless=true",
            "--server.baseUrlPath={prefix}",
        ),
        options={
            "absolute_url": True,
            "readiness": {"path": "{prefix}/_stcore/health", "statuses": [200]},
            "timeout": 60,
        },
    ),
    "gradio": Preset(
        environment={
            "GRADIO_SERVER_PORT": "{port}", "GRADIO_SERVER_NAME": _HERE, "GRADIO_ROOT_PATH": "{prefix}",
        },
        options={"timeout": 60},
    ),
    "dash": Preset(
        environment={"PORT": "{port}", "HOST": _HERE, "DASH_URL_BASE_PATHNAME": "{prefix}/"},
        options={"absolute_url": True, "timeout": 60},
    ),
    "bokeh": _BOKEH,
    "panel": _BOKEH,
    "uvicorn": _UVICORN,
    "fastapi": Preset(arguments=_UVICORN.arguments, options=_UVICORN.options),
    "gunicorn": Preset(
        arguments=_options("--bind|-b=" + _HERE + ":{port}"),
        socket_arguments=_options("--bind|-b=unix:{unix_socket}"),
        environment={"SCRIPT_NAME": "{prefix}"},
        options={"absolute_url": True, "timeout": 30},
    ),
    "mlflow": Preset(
        arguments=_options("--port|-p={port}", f"--host|-h={_HERE}"),
        # The prefix as a variable: without a prefix that is empty, and counts for nothing; an argument it would refuse.
        # The names under which Jupyter is reached are not known; other sites' pages are refused before MLflow is asked.
        environment={"MLFLOW_STATIC_PREFIX": "{prefix}", "MLFLOW_SERVER_ALLOWED_HOSTS": "*"},
        options={"absolute_url": True, "readiness": {"path": "{prefix}/health", "statuses": [200]}, "timeout": 120},
    ),
    "tensorboard": Preset(
        arguments=_options("--port={port}", f"--host={_HERE}", "--path_prefix={prefix}"),
        options={"absolute_url": True, "timeout": 120},
    ),
    "voila": Preset(
        arguments=_options("--port|--Voila.port={port}", "--no-browser", "--base_url|--Voila.base_url={prefix}/"),
        options={"absolute_url": True, "timeout": 60},
    ),
    "shiny": Preset(
        arguments=_options("--port|-p={port}", f"--host|-h={_HERE}"),
        options={"timeout": 60},
    ),
}  # fmt: skip
