"""Output for terminals as HTML: nothing gets through but text and classes."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.web.ansi import lines_to_html, to_html

TEMPLATES = Path(__file__).parents[3] / "jupyter_server_proxy" / "web" / "templates"
ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a\tb", "a\tb"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        (f"{ESC}[31m<b>{ESC}[0m", '<span class="ansi31">&lt;b&gt;</span>'),
        (f"{ESC}[1;4;32mgreen{ESC}[m plain", '<span class="ansi1 ansi4 ansi32">green</span> plain'),
        (f"{ESC}[91;102mbright", '<span class="ansi91 ansi42">bright</span>'),
        (f"{ESC}[7mexchanged", '<span class="inv_background inv_foreground">exchanged</span>'),
        (f"{ESC}[31;7mexchanged", '<span class="inv31 inv_foreground">exchanged</span>'),
        (f"{ESC}[31;0mplain", "plain"),
        (f"{ESC}[0;31;0;32mgreen", '<span class="ansi32">green</span>'),
        # Text that is there is shown, and nothing blinks.
        (f"{ESC}[8mhidden{ESC}[5;6mblinks", "hiddenblinks"),
        (f"{ESC}[4:3mcurly{ESC}[4:0mnot", '<span class="ansi4">curly</span>not'),
        (f"{ESC}[58;5;1mcolour of underlines", "colour of underlines"),
    ],
)
def test_styles_become_classes(text: str, html: str) -> None:
    assert to_html(text) == html


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("38;5;1", 31), ("38;5;9", 91), ("38;5;196", 91), ("38;5;214", 93), ("38;5;141", 94), ("38;5;16", 30),
        ("38;5;240", 90), ("38;5;250", 37), ("38;5;255", 97), ("38;5;22", 32), ("38:5:21", 94),
        ("38;2;255;0;0", 91), ("38;2;0;128;0", 32), ("38:2:0:0:200", 34), ("38:2::200:0:200", 35),
        ("38;2;99999;0;0", 91), ("48;5;9", 41), ("48;5;1", 41), ("48;2;0;90;0", 42), ("1;38;5;2;4", 32),
    ],
)  # fmt: skip
def test_any_colour_becomes_one_with_a_name(parameters: str, code: int) -> None:
    classes = re.fullmatch(r'<span class="([^"]*)">x</span>', to_html(f"{ESC}[{parameters}mx"))
    assert classes, to_html(f"{ESC}[{parameters}mx")
    assert f"ansi{code}" in classes[1].split()


@pytest.mark.parametrize(
    "text",
    [
        f"{ESC}]0;title of the window{BEL}seen",
        f"{ESC}]8;;javascript:alert(1){BEL}seen{ESC}]8;;{BEL}",
        f"{ESC}]8;id=1;https://example.org/{ST}seen{ESC}]8;;{ST}",
        f"{ESC}]52;c;c2VjcmV0{BEL}seen",
        f"{ESC}P1$r0m{ST}seen",
        f"{ESC}_payload{ST}{ESC}^payload{ST}{ESC}Xpayload{ST}seen",
        f"{ESC}[2J{ESC}[H{ESC}[?25l{ESC}[3A{ESC}[10;20Hse{ESC}[Ken{ESC}[?2004h",
        f"{ESC}(0{ESC}(Bse{ESC}=en{ESC}7",
        f"{ESC}[>4;2mseen",
        f"{ESC}\x00seen",
        "s\x00e\x08e\x7fn\x9b\x85",
        f"seen{ESC}",
        f"seen{ESC}[38;5",
        f"seen{ESC}]8;;http://x",
        f"{ESC}[38mseen",
        f"{ESC}[38;5mseen",
        f"{ESC}[38;2;1mseen",
        f"{ESC}[1234567890mseen",
    ],
)
def test_everything_else_is_removed(text: str) -> None:
    assert to_html(text) == "seen"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("10 %\r50 %\r100 %", "100 %"),
        ("100 %\r", "100 %"),
        ("\r\rone", "one"),
        (f"10 %\r{ESC}[K20 %\r{ESC}[2K\r", "20 %"),
        (f"{ESC}[32m10 %\r20 %", '<span class="ansi32">20 %</span>'),
        (f"{ESC}[32m10 %{ESC}[0m\r{ESC}[31m20 %", '<span class="ansi31">20 %</span>'),
        (f"20 %\r{ESC}[0m", "20 %"),
    ],
)
def test_what_was_overwritten_is_not_shown(text: str, html: str) -> None:
    assert to_html(text) == html


def test_a_colour_lasts_until_its_end_in_a_later_line() -> None:
    red = '<span class="ansi31">{}</span>'.format
    assert lines_to_html([f"{ESC}[31ma", "b", f"c{ESC}[0md", "e"]) == [red("a"), red("b"), red("c") + "d", "e"]
    assert lines_to_html([f"{ESC}[31ma"]) == [red("a")]
    assert lines_to_html(["b"]) == ["b"]


def test_what_is_carried_on_is_bounded() -> None:
    lines = [f"{ESC}[31m{ESC}[32mx"] * 1000
    assert len(lines_to_html(lines)[-1]) < 2000


SAFE = re.compile(r'(?:[^<>&\x00-\x08\x0b-\x1f\x7f-\x9f]|&(?:lt|gt|amp);|<span class="[a-z0-9_ ]+">|</span>)*')

PIECES = st.sampled_from(
    [ESC, f"{ESC}[", f"{ESC}]8;;", "\x9b", BEL, ST, "31", "38;5;200", "48;2;1;2;3", "0", ";", ":", "m", "A", "K", "\r",
     "(0", '<a href="x">', "</span>", "&", "x", '"', "'"]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30).map("".join))
def test_s9_only_text_and_spans_come_out(text: str) -> None:
    html = to_html(text.replace("\n", ""))
    assert SAFE.fullmatch(html), html
    assert html.count("<span") == html.count("</span>")


def test_long_lines_take_no_long_time() -> None:
    for text in (f"{ESC}[" * 100_000, f"{ESC}[{'1;' * 200_000}m", "\r" * 200_000, f"{ESC}]" + "x" * 200_000):
        to_html(text)


def test_output_that_is_all_sequences_is_shown_without_colours() -> None:
    sparse, dense = f"{ESC}[31mx" * 100, f"{ESC}[1m{ESC}[31mx" * 800
    assert to_html(sparse).count("<span") == 100
    assert to_html(dense) == "x" * 800


# ---- the style sheet


def palettes() -> dict[str, dict[str, str]]:
    css = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "ansi.css"))
    found: dict[str, dict[str, str]] = {"light": {}, "dark": {}}
    for dark, block in re.findall(r"(@media \(prefers-color-scheme: dark\) \{\s*)?:root \{(.*?)\}", css, re.DOTALL):
        found["dark" if dark else "light"].update(re.findall(r"--([\w-]+): (#\w+);", block))
    assert found["light"].keys() == found["dark"].keys()
    return found


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_is_readable_on_every_background(scheme: str) -> None:
    palette = palettes()[scheme]
    names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
    letters = ["ink", *names, *(f"bright-{name}" for name in names)]
    backgrounds = ["paper", *(f"on-{name}" for name in names)]
    for letter, background in product(letters, backgrounds):
        assert contrast(palette[letter], palette[background]) >= 4.5, (letter, background)
    for letter in ("ink", "quiet", "accent", "done"):
        assert contrast(palette[letter], palette["ground"]) >= 4.5, letter
    assert contrast(palette["accent"], palette["on-accent"]) >= 4.5
    assert contrast(palette["quiet"], palette["paper"]) >= 4.5


def test_every_class_has_a_style() -> None:
    css = (TEMPLATES / "ansi.css").read_text(encoding="utf-8")
    codes = [1, 2, 3, 4, 9, *range(30, 38), *range(40, 48), *range(90, 98)]
    for code in codes:
        assert f".ansi{code} " in css, code
    for code in codes[5:]:
        assert f".inv{code} " in css, code
