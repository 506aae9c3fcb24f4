"""Which connections are kept, and for which requests: H18."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_server_proxy.upstream import pool as module
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.pool import DIAL_BURST, DIAL_GAP, Pacer, Pool

ADDRESS = loopback(8000)


class FakeConnection:
    """As much of an ``UpstreamConnection`` as the pool uses."""

    def __init__(self, address) -> None:
        self.address = address
        self.reusable = True
        self.closed = False
        self.idle_since = 0.0

    def rest(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    abort = close


def in_loop(test):
    """Run an asynchronous test with a pool of fake connections."""

    def run() -> None:
        async def inside() -> None:
            async def connect(address):
                return FakeConnection(address)

            pool = Pool(connect)
            try:
                await test(pool)
            finally:
                pool.close()

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


@in_loop
async def test_the_one_used_last_comes_first(pool: Pool) -> None:
    first, second = await pool.acquire(ADDRESS), await pool.acquire(ADDRESS)
    pool.release(first)
    pool.release(second)
    assert await pool.acquire(ADDRESS) is second
    assert await pool.acquire(ADDRESS) is first
    assert pool.idle_count() == 0


@in_loop
async def test_fresh_means_new(pool: Pool) -> None:
    first = await pool.acquire(ADDRESS)
    pool.release(first)
    assert await pool.acquire(ADDRESS, fresh=True) is not first


@in_loop
async def test_addresses_are_apart(pool: Pool) -> None:
    pool.release(await pool.acquire(ADDRESS))
    assert (await pool.acquire(loopback(8001))).address == loopback(8001)
    assert pool.idle_count(ADDRESS) == 1


@in_loop
async def test_spoilt_connections_are_closed(pool: Pool) -> None:
    connection = await pool.acquire(ADDRESS)
    connection.reusable = False
    pool.release(connection)
    assert connection.closed
    assert pool.idle_count() == 0


@in_loop
async def test_one_that_the_backend_closed_meanwhile_is_not_given_out(pool: Pool) -> None:
    connection = await pool.acquire(ADDRESS)
    pool.release(connection)
    connection.reusable = False
    assert await pool.acquire(ADDRESS) is not connection
    assert connection.closed


@in_loop
async def test_h18_what_must_not_be_repeated_gets_a_young_connection(pool: Pool) -> None:
    connection = await pool.acquire(ADDRESS)
    pool.release(connection)
    connection.idle_since -= module.FRESH_ENOUGH
    other = await pool.acquire(ADDRESS, repeatable=False)
    assert other is not connection
    pool.release(other)
    assert await pool.acquire(ADDRESS, repeatable=False) is other


@in_loop
async def test_bounded(pool: Pool) -> None:
    connections = [await pool.acquire(ADDRESS) for _ in range(module.MAX_IDLE + 2)]
    for connection in connections:
        pool.release(connection)
    assert pool.idle_count() == module.MAX_IDLE
    assert [c.closed for c in connections] == [True, True] + [False] * module.MAX_IDLE


@in_loop
async def test_old_ones_are_swept(pool: Pool) -> None:
    old, young = await pool.acquire(ADDRESS), await pool.acquire(ADDRESS)
    pool.release(old)
    pool.release(young)
    old.idle_since -= module.IDLE_TIMEOUT
    pool._sweep()
    assert (old.closed, young.closed) == (True, False)
    young.idle_since -= module.IDLE_TIMEOUT
    pool._sweep()
    assert pool.idle_count() == 0
    assert pool._sweeper is None


@in_loop
async def test_drop_closes_what_is_idle(pool: Pool) -> None:
    connection = await pool.acquire(ADDRESS)
    pool.release(connection)
    pool.drop(ADDRESS)
    pool.drop(ADDRESS)
    assert connection.closed


class FakeTime:
    """The time of the event loop, and the pauses that the pacer asks for; it does not pass by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr("jupyter_server_proxy.upstream.pool.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


async def test_new_connections_are_spaced_per_address(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pacer = FakeTime(monkeypatch), Pacer()
    for _ in range(DIAL_BURST + 1):
        await pacer.wait(loopback(1))
    assert time.waits == []
    for _ in range(3):
        await pacer.wait(loopback(1))
    assert time.waits == pytest.approx([DIAL_GAP, 2 * DIAL_GAP, 3 * DIAL_GAP])
    await pacer.wait(loopback(2))
    assert len(time.waits) == 3
    time.now = 200.0
    await pacer.wait(loopback(1))
    assert len(time.waits) == 3


async def test_connections_that_are_answered_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pacer = FakeTime(monkeypatch), Pacer()
    for _ in range(10 * DIAL_BURST):
        pacer.answered(loopback(1), await pacer.wait(loopback(1)))
    assert time.waits == []
    waiting = [await pacer.wait(loopback(1)) for _ in range(DIAL_BURST + 1)]
    pacer.answered(loopback(1), waiting[0])
    await pacer.wait(loopback(1))
    assert time.waits == []
    await pacer.wait(loopback(1))
    assert time.waits == pytest.approx([DIAL_GAP])


async def test_in_a_crowd_an_answer_lets_nobody_in_before_time(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pacer = FakeTime(monkeypatch), Pacer()
    crowd = [await pacer.wait(loopback(1)) for _ in range(DIAL_BURST + 3)]
    for counts_until in crowd[:DIAL_BURST]:
        pacer.answered(loopback(1), counts_until)
    await pacer.wait(loopback(1))
    assert time.waits == pytest.approx([DIAL_GAP, 2 * DIAL_GAP, 3 * DIAL_GAP])


async def test_an_answer_that_comes_late_makes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pacer = FakeTime(monkeypatch), Pacer()
    slow = await pacer.wait(loopback(1))
    time.now += 2 * DIAL_GAP
    for _ in range(DIAL_BURST + 1):
        await pacer.wait(loopback(1))
    pacer.answered(loopback(1), slow)
    await pacer.wait(loopback(1))
    assert time.waits == pytest.approx([DIAL_GAP])


@in_loop
async def test_the_first_answer_on_a_connection_makes_room(pool: Pool) -> None:
    for _ in range(3 * DIAL_BURST):
        began = asyncio.get_running_loop().time()
        connection = await pool.acquire(ADDRESS)
        assert pool._pacer._last[ADDRESS] > began
        connection.on_answer()
        assert pool._pacer._last[ADDRESS] <= asyncio.get_running_loop().time()
