"""Header fields as they stood on the wire: in their order, with their spelling, repeated ones apart (RFC 9110, 5)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar, overload

#: Field lines: (name, value) pairs of latin-1 text, in the order in which they arrived.
Pairs = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\r\n\0]|[^\x00-\xff]")

_T = TypeVar("_T")


class HasFieldLines(Protocol):
    """Such as ``Fields`` itself, or tornado's ``HTTPHeaders``."""

    def get_all(self) -> Iterable[tuple[str, str]]: ...


FieldSource = HasFieldLines | Mapping[str, Any] | Iterable[tuple[str, Any]]


def is_token(name: str) -> bool:
    """Whether ``name`` can be the name of a field (a token, RFC 9110 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def is_field_value(value: str) -> bool:
    """Whether ``value`` can go on the wire: latin-1 without CR, LF and NUL (RFC 9110 5.5)."""
    return _FORBIDDEN.search(value) is None


class Fields(MutableMapping[str, str]):
    """The field lines of one message.

    As a mapping it is keyed by names in any case, and repeated fields are one value joined by ``","``. ``get_all`` and
    ``get_list`` tell repeated fields apart, which ``Set-Cookie`` needs. It has what tornado's ``write_headers`` and
    functions written for tornado's ``HTTPHeaders`` use.

    Values are text in latin-1: each character is one octet on the wire. Bytes and integers are accepted and converted.
    A message has some 20 fields, for which two parallel sequences are quicker than dictionaries. They are replaced and
    never changed, as is what was joined of them: copies share all of it, until one of them is another.

    Args:
        lines: (name, value) pairs, or a mapping, or an object with ``get_all``.

    Raises:
        ValueError: a name is no token, or a value has CR, LF, NUL or a character outside latin-1.
        TypeError: a value is neither str, bytes, nor int.
    """

    __slots__ = ("_joined", "_lines", "_lower")

    _lines: tuple[tuple[str, str], ...]
    _lower: tuple[str, ...]  # the names
    _joined: dict[str, str] | None  # values by lower-case name, once one was asked for

    def __init__(self, lines: FieldSource = ()) -> None:
        self._set([_checked(name, value) for name, value in _pairs(lines)])

    @classmethod
    def of_parsed(cls, lines: Iterable[tuple[str, str]]) -> Fields:
        """Fields of lines that a parser has checked already."""
        fields = cls.__new__(cls)
        fields._set(lines)
        return fields

    # Field lines

    def get_all(self) -> Iterator[tuple[str, str]]:
        """Every line as (name, value), in order."""
        return iter(self._lines)

    def get_list(self, name: str) -> list[str]:
        """The values of all lines of that name, in order; empty without any."""
        lower = name.lower()
        if lower not in self._lower:
            return []
        return [line[1] for line, key in zip(self._lines, self._lower, strict=True) if key == lower]

    def add(self, name: str, value: str | bytes | int) -> None:
        """Append one line.

        Raises:
            ValueError, TypeError: as the constructor.
        """
        self._set((*self._lines, _checked(name, value)))

    def remove_all(self, names: Container[str]) -> None:
        """Remove every line whose lower-case name is in ``names``: a set of lower-case names, for speed."""
        keep = [line for line, key in zip(self._lines, self._lower, strict=True) if key not in names]
        if len(keep) != len(self._lower):
            self._set(keep)

    def copy(self) -> Fields:
        """An independent copy."""
        fields = type(self).__new__(type(self))
        fields._lines, fields._lower, fields._joined = self._lines, self._lower, self._joined
        return fields

    __copy__ = copy

    # The mapping

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lower

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str) -> str: ...
    @overload
    def get(self, name: str, /, default: _T) -> str | _T: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        """The value of ``self[name]``, or ``default``. Mapping's own version raises and catches, which is slower."""
        joined = self._joined
        if joined is None:
            joined = self._joined = self._join()
        return joined.get(name.lower(), default)

    def __setitem__(self, name: str, value: str | bytes | int) -> None:
        line = _checked(name, value)
        lower = name.lower()
        if lower not in self._lower:
            self._set((*self._lines, line))
            return
        first = self._lower.index(lower)
        later = zip(self._lines[first + 1 :], self._lower[first + 1 :], strict=True)
        self._set((*self._lines[:first], line, *(other for other, key in later if key != lower)))

    def __delitem__(self, name: str) -> None:
        lower = name.lower()
        if lower not in self._lower:
            raise KeyError(name)
        self.remove_all((lower,))

    def __iter__(self) -> Iterator[str]:
        """Each name once, in order, with the spelling of its first line."""
        return iter([self._lines[self._lower.index(key)][0] for key in dict.fromkeys(self._lower)])

    def __len__(self) -> int:
        return len(set(self._lower))

    def update(self, other: FieldSource = (), /, **fields: str) -> None:  # type: ignore[override]
        """Replace fields by those of ``other``, whose repeated lines stay repeated; fields it does not name stay."""
        replaced: set[str] = set()
        for name, value in [*_pairs(other), *fields.items()]:
            if name.lower() in replaced:
                self.add(name, value)
            else:
                self[name] = value
                replaced.add(name.lower())

    def __eq__(self, other: object) -> bool:
        """Equal to Fields with the same names (in any case) and values in the same order; or to such a mapping."""
        if isinstance(other, Fields):
            return self._lower == other._lower and [v for _, v in self._lines] == [v for _, v in other._lines]
        if isinstance(other, Mapping):
            mine = {name.lower(): value for name, value in self.items()}
            return mine == {str(name).lower(): value for name, value in other.items()}
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Names alone: cookies and authorization must not get into logs by way of a repr.
        return f"<Fields {', '.join(name for name, _ in self._lines)}>"

    # Private

    def _set(self, lines: Iterable[tuple[str, str]]) -> None:
        self._lines = tuple(lines)
        self._lower = tuple([name.lower() for name, _ in self._lines])
        self._joined = None

    def _join(self) -> dict[str, str]:
        values: dict[str, list[str]] = {}
        for key, (_, value) in zip(self._lower, self._lines, strict=True):
            values.setdefault(key, []).append(value)
        return {key: ",".join(several) for key, several in values.items()}


def _pairs(source: FieldSource) -> Iterable[tuple[str, Any]]:
    if hasattr(source, "get_all"):
        return list(source.get_all())
    if isinstance(source, Mapping):
        return source.items()
    return source


def _checked(name: str, value: str | bytes | int) -> tuple[str, str]:
    if not is_token(name):
        raise ValueError(f"{name!r} cannot be the name of a header field")
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif isinstance(value, int):
        value = str(value)
    elif not isinstance(value, str):
        raise TypeError(f"the value of header field {name} must be a string, got {type(value).__name__}")
    if not is_field_value(value):
        raise ValueError(f"the value of header field {name} has a line break, a NUL, or a character outside latin-1")
    return name, value
