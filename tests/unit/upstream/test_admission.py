"""Requests to one origin server at the same time."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_server_proxy.errors import ServerUnavailable
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.admission import Admission

A, B = loopback(1), loopback(2)


async def test_a_place_for_each_up_to_the_limit() -> None:
    admission = Admission(2, 0.01)
    await admission.enter(A)
    await admission.enter(A)
    await admission.enter(B)
    assert admission.inside(A) == 2
    with pytest.raises(ServerUnavailable, match="2 requests under way") as caught:
        await admission.enter(A)
    assert caught.value.status == 503
    assert caught.value.retry_after == 0.01
    for address in (A, A, B):
        admission.leave(address)
    assert admission.inside(A) == admission.inside(B) == 0


async def test_first_come_first_served() -> None:
    admission = Admission(1, 60)
    await admission.enter(A)
    order: list[int] = []

    async def visit(number: int) -> None:
        await admission.enter(A)
        order.append(number)

    tasks = [asyncio.create_task(visit(number)) for number in range(3)]
    await asyncio.sleep(0)
    for count in range(1, 4):
        admission.leave(A)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == list(range(count))
        assert admission.inside(A) == 1
    admission.leave(A)
    await asyncio.gather(*tasks)
    assert admission.inside(A) == 0


async def test_who_gives_up_takes_no_place() -> None:
    admission = Admission(1, 60)
    await admission.enter(A)
    waiting = [asyncio.create_task(admission.enter(A)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    admission.leave(A)  # goes to the second ...
    waiting[1].cancel()  # ... who leaves at the same moment
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    await waiting[2]
    assert admission.inside(A) == 1
    admission.leave(A)
    assert admission.inside(A) == 0
