"""What to run, with which environment: the options of a server, filled in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import StartFailed
from ..rules.spec import ServerSpec
from ..rules.template import realize

T = TypeVar("T")


def render_command(spec: ServerSpec, arguments: Mapping[str, Any]) -> list[str]:
    """The words of the command; empty when the server is not ours to start.

    Raises:
        StartFailed: the option's callable failed, or a word is not text.
    """
    words = _attempt(spec, "command", lambda: realize(spec.command, arguments)) if spec.command else None
    if not words:
        return []
    if isinstance(words, str) or not isinstance(words, (list, tuple)):
        raise StartFailed(f"The command of server '{spec.name}' must be a list of words, not {type(words).__name__}.")
    for number, word in enumerate(words, 1):
        if word is None:
            raise StartFailed(
                f"Word {number} of the command of server '{spec.name}' is None. Probably a program that it looks for "
                "is not installed."
            )
        if not isinstance(word, (str, os.PathLike)):
            raise StartFailed(
                f"Word {number} of the command of server '{spec.name}' must be text, not {type(word).__name__}."
            )
    return [os.fspath(word) for word in words]


def render_environment(spec: ServerSpec, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The variables to set; those whose value is None are left as they are.

    Raises:
        StartFailed: the option's callable failed, or gave something else than text.
    """
    values = _attempt(spec, "environment", lambda: realize(spec.environment, arguments)) if spec.environment else None
    if not values:
        return {}
    if not isinstance(values, Mapping):
        raise StartFailed(f"The environment of server '{spec.name}' must be a dictionary, not {type(values).__name__}.")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, (str, type(None))):
            raise StartFailed(f"Variable {name!r} in the environment of server '{spec.name}' must be text.")
    return {name: value for name, value in values.items() if value is not None}


def _attempt(spec: ServerSpec, option: str, function: Callable[[], T]) -> T:
    try:
        return function()
    except Exception as error:
        raise StartFailed(
            f"The {option} of server '{spec.name}' cannot be used: {type(error).__name__}: {error}", detail=repr(error)
        ) from error
