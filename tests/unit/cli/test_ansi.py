"""Control sequences in the output of servers."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.cli.ansi import keep_colours, strip

HARMFUL = [
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\",
    "\x1b[2J",
    "\x1b[1;1H",
    "\x1b[?25l",
    "\x1b[>4;1m",
    "\x9b2J",
    "\x1bc",
    "\x1b(0",
    "\x1bP1$r\x1b\\",
    "\x9d0;title\x9c",
    "\x07",
    "\x08",
    "\r",
    "\x0b",
    "\x7f",
    "\x85",
]


@pytest.mark.parametrize("sequence", HARMFUL, ids=ascii)
def test_nothing_but_colours_reaches_a_terminal(sequence: str) -> None:
    assert keep_colours(f"a{sequence}b") == "ab"
    assert strip(f"a{sequence}b") == "ab"


@pytest.mark.parametrize("colour", ["\x1b[31m", "\x1b[1;38;5;200m", "\x1b[38:2::1:2:3m", "\x1b[m"])
def test_colours_end_with_their_line(colour: str) -> None:
    assert keep_colours(f"a{colour}b") == f"a{colour}b\x1b[0m"
    assert keep_colours(f"{colour}b\x1b[0m") == f"{colour}b\x1b[0m"
    assert strip(f"a{colour}b") == "ab"


def test_text_stays() -> None:
    assert keep_colours("\tä ö ü 🙂 [31m") == "\tä ö ü 🙂 [31m"


def test_a_sequence_that_never_ends_takes_its_line_only() -> None:
    assert strip("a\x1b]0;for ever") == "a"
    assert "\x1b" not in keep_colours("a\x1b[31")
