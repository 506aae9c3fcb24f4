"""Control sequences in what servers write (ECMA-48): colours may stay, nothing else may reach a terminal.

A sequence can move the cursor over what was shown before, or set the title of the window; the output of a server is
not trusted with either.
"""

from __future__ import annotations

import re

#: SGR, "select graphic rendition" (ECMA-48 8.3.117): colours, bold, underlined.
_COLOUR = r"\x1b\[[0-9;:]*m"
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-~]"  # two characters
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"  # single control characters but the tab
)
_COLOURS_OR_SEQUENCES = re.compile(f"({_COLOUR})|{_SEQUENCE}")
RESET = "\x1b[0m"


def strip(text: str) -> str:
    """A line without any control sequence."""
    return _COLOURS_OR_SEQUENCES.sub("", text)


def keep_colours(text: str) -> str:
    """A line whose only control sequences are colours; they end with it."""
    kept = _COLOURS_OR_SEQUENCES.sub(lambda found: found[1] or "", text)
    return kept + RESET if "\x1b" in kept and not kept.endswith((RESET, "\x1b[m")) else kept
