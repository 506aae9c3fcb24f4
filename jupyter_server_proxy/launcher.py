"""How servers appear in launchers: one option of ``ServerProcess``, and what it consists of."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from traitlets import HasTraits

from .option import Option, OptionError, default_log, describe_owner, known_keys, option_names
from .rules import options


class LauncherEntry(HasTraits):
    """How a server appears in the launchers. Keys that are unknown are left out with a warning."""

    enabled = Option(options.boolean, True, "Whether launchers show this server at all. Default: True.")
    icon_path = Option(
        options.icon_path,
        "",
        """
        The full path of an SVG file, as a string or a pathlib.Path; JupyterLab's launcher shows it for the categories
        "Notebook" and "Console". Default: no icon.
        """,
    )
    title = Option(options.text, "", "The text of the entry. Default: the name of the server.")
    path_info = Option(
        options.text,
        "",
        """
        What the entry opens, relative to the base URL of Jupyter; it may have a query and a fragment.
        Default: the name of the server and a slash.
        """,
    )
    category = Option(options.text, "Notebook", 'The section of JupyterLab\'s launcher. Default: "Notebook".')

    #: Further entries of the same server.
    others: tuple[LauncherEntry, ...] = ()

    def __init__(self, **entry: Any) -> None:
        super().__init__(**known_keys(entry, self.trait_names(), "launcher_entry", default_log()))


class LauncherOption(Option):
    """``launcher_entry``: always a LauncherEntry of its own, with title and path_info filled in; others may follow."""

    def default(self, obj: Any = None) -> Any:
        return None if obj is None else self.validate(obj, LauncherEntry())

    def validate(self, obj: Any, value: Any) -> LauncherEntry:
        if not isinstance(value, (list, tuple)):
            return self._entry(obj, value, self.name or "")
        if not value:
            return self._entry(obj, {"enabled": False}, self.name or "")
        first, *others = [self._entry(obj, one, f"{self.name}[{n}]") for n, one in enumerate(value)]
        first.others = tuple(others)
        return first

    def _entry(self, obj: Any, value: Any, option: str) -> LauncherEntry:
        if isinstance(value, LauncherEntry):
            entry = copy.copy(value)
        elif isinstance(value, Mapping):
            where = f"{describe_owner(obj)}: option {option!r}"
            known = known_keys(value, option_names(LauncherEntry), where, default_log())
            try:
                entry = LauncherEntry(**known)
            except OptionError as error:
                raise OptionError(describe_owner(obj), f"{option}.{error.option}", error.reason) from None
        else:
            wanted = "must be a dictionary, a LauncherEntry, or a list of these"
            raise OptionError(describe_owner(obj), option, f"{wanted}, got a value of type {type(value).__name__}")
        if obj.name:
            entry.title = entry.title or obj.name
            entry.path_info = entry.path_info or obj.name + "/"
        return entry
