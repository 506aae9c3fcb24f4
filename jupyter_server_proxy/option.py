"""The kind of trait that options are, and what is said about keys that are no options."""

from __future__ import annotations

import ast
import copy
import logging
from collections.abc import Callable, Iterable, Mapping
from textwrap import dedent
from typing import Any, TypeAlias

from traitlets import HasTraits, TraitError, TraitType
from traitlets.config import Application

from .errors import ConfigurationError

Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"


class OptionError(TraitError, ConfigurationError):
    """An option was given a wrong value.

    Args:
        owner: whose option, such as ``"server 'x'"``.
        option: its name.
        reason: the rest of the sentence.
    """

    def __init__(self, owner: str, option: str, reason: str) -> None:
        super().__init__(f"{owner}: option {option!r} {reason}")
        self.option = option
        self.reason = reason


class Option(TraitType[Any, Any]):
    """A trait whose value is checked, and brought into its normal form, by a function of ``rules.options``.

    Args:
        check: returns the normal form, or raises ValueError with the rest of a sentence.
        default: the value where none is given; every owner gets a copy.
        help: for ``--help`` and the documentation.
    """

    def __init__(self, check: Callable[[Any], Any], default: Any, help: str, **metadata: Any) -> None:
        super().__init__(default_value=default, help=dedent(help).strip(), **{"config": True, **metadata})
        self.check = check

    def default(self, obj: Any = None) -> Any:
        return copy.copy(self.default_value)

    def from_string(self, s: str) -> Any:
        """Called by traitlets for what stands on a command line: a Python literal, or else a string."""
        try:
            value = ast.literal_eval(s)
        except (ValueError, SyntaxError):
            value = s
        return [value] if isinstance(self.default_value, list) and not isinstance(value, list) else value

    def from_string_list(self, s_list: list[str]) -> Any:
        """The same for an option that is given more than once, which is good for lists alone."""
        values = [self.from_string(s) for s in s_list]
        if isinstance(self.default_value, list):
            return [item for value in values for item in value]
        return values[0] if len(values) == 1 else values

    def validate(self, obj: Any, value: Any) -> Any:
        try:
            return self.check(value)
        except ValueError as error:
            # While the name itself is checked, the owner does not have it yet.
            owner = f"server {value!r}" if self.name == "name" else describe_owner(obj)
            raise OptionError(owner, self.name or "", str(error)) from None


def describe_owner(owner: Any) -> str:
    """Whose option it is, for messages."""
    name = getattr(owner, "name", None)
    return type(owner).__name__ if name is None else f"server {name!r}"


def option_names(owner: type[HasTraits]) -> list[str]:
    """The names of the options of a class."""
    return [name for name, trait in owner.class_traits().items() if isinstance(trait, Option)]


def known_keys(given: Mapping[Any, Any], known: Iterable[str], where: str, log: Log) -> dict[str, Any]:
    """``given`` without the keys that are not ``known``, about which the log is told."""
    known = list(known)
    for key in given:
        if key not in known:
            import difflib  # slow to load, and needed for mistakes alone

            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            log.warning("%s: unknown key %r is ignored%s", where, key, hint)
    return {key: value for key, value in given.items() if key in known}


def default_log() -> Log:
    """The log of the running Jupyter application; without one, our own."""
    if Application.initialized():
        log: Log = Application.instance().log
        return log
    return logging.getLogger("jupyter_server_proxy")
