"""Templates such as ``{port}``, and callables of a configuration that ask for arguments by name.

A callable declares the arguments it wants and gets those alone, so that further arguments can be offered later without
breaking anybody's configuration. What it returns is a template again: ``{port}`` in it is filled in, ``{{`` is a brace.
"""

from __future__ import annotations

import functools
import inspect
import os
import string
from collections.abc import Callable, Mapping
from typing import Any

_Kind = inspect._ParameterKind


def call_with_asked_args(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call ``function`` with those of ``arguments`` that its signature declares.

    Parameters with a default get our argument where we have one of that name; ``**kwargs`` gets every argument. What a
    ``functools.partial`` has bound already stays as it is. A builtin that does not tell its signature is called without
    arguments.

    Args:
        function: any callable: function, lambda, bound method, partial, class, object with ``__call__``.
        arguments: what is on offer, by name.

    Returns:
        What ``function`` returned.

    Raises:
        TypeError: ``function`` cannot be called, or requires an argument that is not on offer.
        Exception: whatever ``function`` raises.
    """
    if not callable(function):
        raise TypeError(f"expected a callable, got {type(function).__name__}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return function()

    bound = function.keywords if isinstance(function, functools.partial) else {}
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    missing: list[str] = []
    takes_any = False
    for parameter in parameters:
        name = parameter.name
        if parameter.kind is _Kind.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is _Kind.VAR_POSITIONAL or name in bound:
            continue
        elif name not in arguments and parameter.default is parameter.empty:
            missing.append(name)
        elif parameter.kind is _Kind.POSITIONAL_ONLY:
            # One without an argument of ours still takes its place, or those behind it would move up.
            positional.append(arguments.get(name, parameter.default))
        elif name in arguments:
            keywords[name] = arguments[name]
    if missing:
        raise TypeError(
            f"{describe_callable(function)} asks for {', '.join(missing)}; "
            f"the arguments on offer are {', '.join(sorted(arguments))}"
        )
    if takes_any:
        taken = {p.name for p in parameters if p.kind is _Kind.POSITIONAL_ONLY} | set(bound)
        keywords.update((name, value) for name, value in arguments.items() if name not in taken)
    return function(*positional, **keywords)


def describe_callable(function: Callable[..., Any]) -> str:
    """The name by which a message speaks of ``function``; never its repr, which may hold bound values."""
    while isinstance(function, functools.partial):
        function = function.func
    qualified = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None) or type(function).__module__
    return qualified if module in (None, "builtins", "__main__") else f"{module}.{qualified}"


def render(value: Any, arguments: Mapping[str, Any]) -> Any:
    """Fill ``arguments`` into every template in ``value``; the value that was passed in stays unchanged.

    Args:
        value: a string, a path, or None; or lists, tuples and mappings of these, nested at will. The keys of mappings
            are templates as well.
        arguments: the values by name. ``{name}`` becomes ``str(arguments["name"])``; format specifications work.

    Returns:
        The same structure with strings filled in; paths become strings, None stays None, a mapping becomes a dict.

    Raises:
        ValueError: a template is malformed or uses what is not on offer. The message names the template; for a template
            in a mapping it names the key instead, because values of an environment are often secret.
        TypeError: a value of another type.
    """
    return _render(value, arguments, None)


def realize(value: Any, arguments: Mapping[str, Any]) -> Any:
    """``render`` of ``value``, or of what it returns if it is a callable (see ``call_with_asked_args``).

    Raises:
        ValueError, TypeError: as ``render`` and ``call_with_asked_args``.
        Exception: whatever the callable raises.
    """
    if callable(value):
        value = call_with_asked_args(value, arguments)
    return render(value, arguments)


def _render(value: Any, arguments: Mapping[str, Any], place: str | None) -> Any:
    if value is None:
        return None
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return _fill(value, arguments, place or f"the template {value!r}")
    if isinstance(value, list):
        return [_render(item, arguments, place) for item in value]
    if isinstance(value, tuple):
        return tuple(_render(item, arguments, place) for item in value)
    if isinstance(value, Mapping):
        return {
            _render(key, arguments, None): _render(item, arguments, f"the value of {key!r}")
            for key, item in value.items()
        }
    raise TypeError(
        f"{place or 'a template'} is of type {type(value).__name__}; "
        "use a string, None, or a list, tuple or dictionary of these"
    )


def _fill(template: str, arguments: Mapping[str, Any], place: str) -> str:
    if "{" not in template and "}" not in template:
        return str(template)
    known = (
        f"known names are {', '.join('{' + name + '}' for name in sorted(arguments))}; write {{{{ and }}}} for braces"
    )
    try:
        unknown = _first_unknown_field(template, arguments)
        if unknown is None:
            return template.format_map(arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place} cannot be filled in ({error}); {known}") from None
    if "." in unknown or "[" in unknown:
        raise ValueError(f"{place} uses {{{unknown}}}, but attributes and items are not available; {known}")
    raise ValueError(f"{place} uses {{{unknown}}}, which is not available; {known}")


def _first_unknown_field(template: str, arguments: Mapping[str, Any]) -> str | None:
    # str.format alone would follow attributes ("{port.__class__}"), so every field must be exactly a name on offer.
    for _, field, specification, _ in string.Formatter().parse(template):
        if field is None:
            continue
        if field not in arguments:
            return field
        if specification and (unknown := _first_unknown_field(specification, arguments)) is not None:
            return unknown
    return None
