"""Output for terminals as safe HTML: text that is escaped, and ``<span class="...">`` with the classes of ansi.css.

Only colours and styles of letters (SGR, ECMA-48 8.3.117) come through. All else that a terminal would obey is removed
before the conversion: links, titles, movements of the cursor. Colours become the sixteen that have a name: their
contrast can be assured, each of them is readable on every background, in light and in dark pages.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

#: SGR; strings such as OSC, up to their end; other control sequences; other escape sequences (ECMA-48 5.3 to 5.6).
_SEQUENCE = re.compile(
    "\x1b\\[([0-9;:]*)m"
    "|\x1b[\\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b\\[[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)
_SGR = re.compile("\x1b\\[[0-9;]*m")
_SGR_PARAMETERS = re.compile("\x1b\\[([0-9;]*)m")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_RESET = "\x1b[0m"

#: Codes that are passed on: styles, the colours with names, and the ends of both.
_PLAIN = frozenset({0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 29, *range(30, 38), 39, *range(40, 48), 49, *range(90, 98)})
_BRIGHT_BACKGROUNDS = range(100, 108)

#: What ends which styles.
_ENDS = {22: {1, 2}, 23: {3}, 24: {4}, 29: {9}}

#: Sequences of one line that are looked at. A page shows hundreds of lines, and each sequence takes some microseconds
#: in which Jupyter does nothing else: output that is denser is shown without colours.
_MAX_SEQUENCES = 100

#: Parameters of one sequence that are looked at.
_MAX_PARAMETERS = 32

#: Characters of sequences that a line hands on to the next.
_MAX_CARRIED = 200


def to_html(line: str) -> str:
    """One line of output as HTML, for the inside of an element.

    Args:
        line: without its end; what was overwritten after a carriage return is left out.
    """
    return _convert(_clean(line))


def lines_to_html(lines: Iterable[str]) -> list[str]:
    """Lines of output that follow each other: a colour lasts until its end, which may be in a later line."""
    converted = []
    carried = ""
    for line in lines:
        clean = carried + _clean(line)
        converted.append(_convert(clean))
        carried = _styles(clean).removeprefix(_RESET)
        if len(carried) > _MAX_CARRIED:
            carried = ""
    return converted


def _convert(clean: str) -> str:
    """Text with plain SGR as HTML: all text is escaped, and class names are made here."""
    if "\x1b" not in clean:
        return html.escape(clean, quote=False)
    pieces: list[str] = []
    pen = _Pen()
    # Text and the parameters of sequences alternate.
    for number, part in enumerate(_SGR_PARAMETERS.split(clean)):
        if number % 2:
            pen.obey(part)
        elif part:
            text, classes = html.escape(part, quote=False), pen.classes()
            pieces.append(f'<span class="{classes}">{text}</span>' if classes else text)
    return "".join(pieces)


class _Pen:
    """The style of what is written next."""

    def __init__(self) -> None:
        self._styles: set[int] = set()
        self._colors: dict[str, int] = {}  # by "foreground" and "background"
        self._inverse = False

    def obey(self, parameters: str) -> None:
        """Codes of one sequence; all are among ``_PLAIN``."""
        for parameter in parameters.split(";"):
            code = int(parameter or 0)
            if code == 0:
                self.__init__()  # type: ignore[misc]
            elif code in _ENDS:
                self._styles -= _ENDS[code]
            elif code in (7, 27):
                self._inverse = code == 7
            elif code in (39, 49):
                self._colors.pop("foreground" if code == 39 else "background", None)
            elif code >= 30:
                self._colors["background" if 40 <= code <= 47 else "foreground"] = code
            else:
                self._styles.add(code)

    def classes(self) -> str:
        """The names of ansi.css; "" for plain text."""
        prefix = "inv" if self._inverse else "ansi"
        names = [f"ansi{code}" for code in sorted(self._styles)]
        for ground, other in (("foreground", "background"), ("background", "foreground")):
            if ground in self._colors:
                names.append(f"{prefix}{self._colors[ground]}")
            elif self._inverse:
                names.append(f"inv_{other}")
        return " ".join(names)


def _clean(line: str) -> str:
    """The last state of a line, with plain SGR as the only sequences; without any, if there are too many of them."""
    if line.count("\x1b") > _MAX_SEQUENCES:
        line = _SEQUENCE.sub("", line)
    return _CONTROLS.sub("", _last_state(_SEQUENCE.sub(_keep_style, line)))


def _last_state(line: str) -> str:
    """What is to be seen after all carriage returns: progress bars overwrite themselves. Colours go on."""
    if "\r" not in line:
        return line
    states = line.split("\r")
    last = max((number for number, state in enumerate(states) if _SGR.sub("", state)), default=0)
    return _styles("".join(states[:last])) + states[last] + _styles("".join(states[last + 1 :]))


def _styles(text: str) -> str:
    """The sequences in a text, from the last on that ends all before it."""
    _, reset, rest = "".join(_SGR.findall(text)).rpartition(_RESET)
    return reset + rest


def _keep_style(match: re.Match[str]) -> str:
    parameters = match[1]
    if parameters is None:
        return ""
    codes = list(_plain_codes(parameters.split(";", _MAX_PARAMETERS)[:_MAX_PARAMETERS]))
    if 0 in codes:
        last = len(codes) - codes[::-1].index(0)
        return _RESET + _sequence(codes[last:])
    return _sequence(codes)


def _sequence(codes: list[int]) -> str:
    return f"\x1b[{';'.join(map(str, codes))}m" if codes else ""


def _plain_codes(parameters: list[str]) -> Iterator[int]:
    """SGR codes, colours by number or by their parts replaced by the nearest of those that have a name.

    Parts of a colour are separated by ";" or, as ISO 8613-6 says, by ":".
    """
    rest = iter(parameters)
    for parameter in rest:
        head, *parts = parameter.split(":")
        code = _number(head)
        if code in (38, 48, 58):
            if not parts:
                parts = list(islice(rest, 1))
                parts += islice(rest, {"5": 1, "2": 3}.get("".join(parts), 0))
            color = _nearest(parts)
            if color is not None and code != 58:
                yield color if code == 38 else color + 10 if color < 90 else color - 50
        elif code == 21 or (code == 4 and parts and parts[0] != "0"):
            yield 4  # double and curly underlines are underlines
        elif code == 4 and parts:
            yield 24
        elif code in _PLAIN:
            yield code
        elif code in _BRIGHT_BACKGROUNDS:
            yield code - 60


def _nearest(parts: list[str]) -> int | None:
    """The code of the named colour that is nearest to "5", number or "2", red, green, blue; None for none.

    With an identifier of the colour space there are four parts after "2".
    """
    values = [min(_number(part), 255) for part in parts]
    if values[:1] == [5] and len(values) >= 2:
        number = values[1]
        if number < 16:
            return 30 + number if number < 8 else 82 + number
        return _nearest_to_light(*_light_of(number))
    if values[:1] == [2] and len(values) >= 4:
        red, green, blue = values[2:5] if len(values) >= 5 else values[1:4]
        return _nearest_to_light(red, green, blue)
    return None


def _light_of(number: int) -> tuple[int, int, int]:
    """Red, green and blue of a colour of xterm's cube (16 to 231) or of its greys (232 to 255)."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    return _LEVELS[red], _LEVELS[green], _LEVELS[blue]


_LEVELS = (0, 95, 135, 175, 215, 255)


def _nearest_to_light(red: int, green: int, blue: int) -> int:
    most, least = max(red, green, blue), min(red, green, blue)
    if most - least < 40:
        return 30 if most < 64 else 90 if most < 128 else 37 if most < 200 else 97
    middle = (most + least) / 2
    hue = (red > middle) + 2 * (green > middle) + 4 * (blue > middle)
    return (90 if most > 215 else 30) + hue


def _number(text: str) -> int:
    """0 for an empty parameter (ECMA-48 5.4.2); -1, which means nothing, for one that is too long."""
    return (int(text) if len(text) < 6 else -1) if text else 0
