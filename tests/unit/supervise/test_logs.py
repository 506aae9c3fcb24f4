"""The output of a server in memory: lines from any pieces, bounded; and those who follow it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.supervise import logs as module
from jupyter_server_proxy.supervise.logs import MAX_LINE_BYTES, MAX_LINES, Line, LogTail

MAX = 16  # instead of MAX_LINE_BYTES where many inputs are tried


def texts(tail: LogTail) -> list[str]:
    return [line.text for line in tail.last(10**6)]


def feed(tail: LogTail, text: str) -> None:
    tail.feed(text.encode())


# ---- lines


def test_lines_are_made_of_any_pieces() -> None:
    tail = LogTail()
    for piece in (b"one\ntw", b"o", b"\n", b"\nthree\r\n", b"four"):
        tail.feed(piece)
    assert texts(tail) == ["one", "two", "", "three"]
    assert tail.tail(10) == ("one", "two", "", "three", "four")
    assert tail.tail(2) == ("three", "four")
    tail.end()
    tail.end()
    assert texts(tail) == ["one", "two", "", "three", "four"]


@pytest.mark.parametrize("count", [0, -1])
def test_no_lines_are_asked_for(count: int) -> None:
    tail = LogTail()
    feed(tail, "one\ntwo")
    assert tail.tail(count) == ()
    assert tail.last(count) == []


OUTPUT = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"b" * 7, b"c" * 15, b"d" * 16, b"e" * 17, b"f" * 50, b"\xc3\xa9"])
).map(b"".join)


@given(OUTPUT, st.data())
def test_any_segmentation_gives_the_same_lines(output: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=10)))
    pieces = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LINE_BYTES", MAX)
        whole, cut, bytewise = tails = LogTail(), LogTail(), LogTail()
        whole.feed(output)
        for piece in pieces:
            cut.feed(piece)
        for byte in output:
            bytewise.feed(bytes([byte]))
        assert whole.tail(10**6) == cut.tail(10**6) == bytewise.tail(10**6)
        for tail in tails:
            tail.end()
    assert texts(whole) == texts(cut) == texts(bytewise)
    assert whole.next_number == cut.next_number == bytewise.next_number == len(texts(cut))


@given(OUTPUT)
def test_lines_hold_all_that_was_written_and_are_never_longer_than_the_bound(output: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LINE_BYTES", MAX)
        tail = LogTail()
        tail.feed(output)
        tail.end()
    ascii_only = output.replace(b"\xc3\xa9", b"")
    if ascii_only == output:
        assert "".join(texts(tail)).replace("\r", "") == output.decode().replace("\n", "").replace("\r", "")
    assert all(len(text) <= MAX for text in texts(tail))


def test_what_is_no_utf_8_is_replaced() -> None:
    tail = LogTail()
    tail.feed(b"a\xff\xc3\n\xc3")
    tail.feed(b"\xa9\n")
    assert texts(tail) == ["a\ufffd\ufffd", "\u00e9"]


def test_each_whole_line_is_told() -> None:
    told: list[str] = []
    tail = LogTail(told.append)
    feed(tail, "one\ntwo")
    assert told == ["one"]
    feed(tail, " more\r\n")
    assert told == ["one", "two more"]
    feed(tail, "three")
    tail.end()
    assert told == ["one", "two more", "three"]


# ---- bounds


def test_only_the_last_lines_are_kept() -> None:
    tail = LogTail(max_lines=3)
    feed(tail, "".join(f"{number}\n" for number in range(10)))
    assert [(line.number, line.text) for line in tail.last(100)] == [(7, "7"), (8, "8"), (9, "9")]
    assert tail.next_number == 10


def test_output_without_line_ends_takes_no_more_than_its_bound() -> None:
    tail = LogTail()
    for _ in range(100):
        tail.feed(b"x" * 100_000)
        assert len(tail._partial) <= MAX_LINE_BYTES
    lines = tail.last(10**6)
    assert len(lines) == MAX_LINES
    assert {len(line.text) for line in lines} == {MAX_LINE_BYTES}


def test_a_long_line_that_comes_at_once_is_broken() -> None:
    tail = LogTail()
    tail.feed(b"x" * (2 * MAX_LINE_BYTES + 1) + b"\nend\n")
    assert [len(text) for text in texts(tail)] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 1, 3]


# ---- runs, numbers, times


def test_runs_are_told_apart_and_numbers_go_on() -> None:
    tail = LogTail()
    tail.begin_run()
    feed(tail, "a\nb")
    tail.begin_run()
    assert tail.tail(10) == ()
    feed(tail, "c\nd")
    assert [(line.number, line.run, line.text) for line in tail.last(10)] == [(0, 1, "a"), (1, 1, "b"), (2, 2, "c")]
    assert tail.tail(10) == ("c", "d")
    assert [line.text for line in tail.last(2)] == ["b", "c"]


def test_lines_are_dated(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = LogTail()
    monkeypatch.setattr("time.time", lambda: 12.5)
    feed(tail, "a\n")
    assert tail.last(1) == [Line(0, 0, 12.5, "a")]


def test_lines_between_two_numbers_and_those_that_came_late(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = LogTail(max_lines=5)
    for second in range(7):
        monkeypatch.setattr("time.time", lambda second=second: float(second))
        feed(tail, f"{second}\n")

    def between(first: int, end: int, until: float) -> list[int]:
        return [line.number for line in tail.between(first, end, until)]

    assert between(3, 5, 0.0) == [3, 4]
    assert between(3, 5, 5.0) == [3, 4, 5]
    assert between(3, 3, 0.0) == []
    assert between(0, 4, 0.0) == [2, 3], "older ones are not kept"


# ---- followers


def test_followers_get_each_line_from_now_on_once() -> None:
    tail, wake = LogTail(), asyncio.Event()
    feed(tail, "before\n")
    with tail.follow(wake) as follower:
        assert not wake.is_set()
        feed(tail, "a\nb\nc")
        assert wake.is_set()
        assert [line.text for line in follower.take()] == ["a", "b"]
        assert follower.take() == []
        feed(tail, "d\n")
        assert [line.text for line in follower.take()] == ["cd"]
    wake.clear()
    feed(tail, "after\n")
    assert not wake.is_set()
    assert follower.take() == []


def test_a_slow_follower_loses_the_oldest_lines_and_is_told_how_many() -> None:
    tail = LogTail()
    with tail.follow(asyncio.Event()) as slow, tail.follow(asyncio.Event()) as quick:
        for number in range(MAX_LINES + 7):
            feed(tail, f"{number}\n")
            assert len(quick.take()) == 1
        assert slow.lost == 7
        lines = slow.take()
        assert (lines[0].number, lines[-1].number, len(lines)) == (7, MAX_LINES + 6, MAX_LINES)
        assert (quick.lost, quick.take()) == (0, [])
        slow.lost = 0
        feed(tail, "next\n")
        assert (slow.lost, [line.text for line in slow.take()]) == (0, ["next"])


def test_a_follower_that_fails_leaves_nothing_behind() -> None:
    tail = LogTail()
    with pytest.raises(RuntimeError, match="gone"), tail.follow(asyncio.Event()):
        raise RuntimeError("gone")
    assert tail._followers == []
