"""Where commands write."""

from __future__ import annotations

import io
import json

import pytest

from jupyter_server_proxy.cli.console import Console

LINE = "\x1b[31mred\x1b[0m \x1b]0;title\x07x"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_colours_on_a_terminal() -> None:
    out = Terminal()
    console = Console(out=out, err=io.StringIO())
    console.print_output([LINE])
    console.print(console.style("x", "red"))
    assert out.getvalue() == "\x1b[31mred\x1b[0m x\x1b[0m\n\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize("variable", ["", "1"])
def test_no_colours_elsewhere(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal() if variable else io.StringIO()
    monkeypatch.setenv("NO_COLOR", variable)
    console = Console(out=out, err=io.StringIO())
    console.print_output([LINE])
    console.print(console.style("x", "red"))
    assert out.getvalue() == "red x\nx\n"


def test_progress_is_for_people_who_wait() -> None:
    for as_json, err, expected in ((False, Terminal(), "x\n"), (True, Terminal(), ""), (False, io.StringIO(), "")):
        Console(as_json, io.StringIO(), err).tell_progress("x")
        assert err.getvalue() == expected


def test_characters_that_the_stream_does_not_have() -> None:
    raw = io.BytesIO()
    console = Console(out=io.TextIOWrapper(raw, encoding="ascii"), err=io.StringIO())
    console.print("ä\udcff")
    assert raw.getvalue() == b"\\xe4\\udcff\n"


def test_json() -> None:
    out = io.StringIO()
    console = Console(True, out, io.StringIO())
    console.print_json({"a": [1]}, compact=True)
    console.print_json({"a": [1]})
    assert out.getvalue().startswith('{"a": [1]}\n{\n')
    assert json.loads(out.getvalue().partition("\n")[2]) == {"a": [1]}
