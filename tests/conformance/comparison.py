"""The Autobahn cases (as PyPI's ``kosoku`` runs them), directly and through the proxy: each must come out the same.

In one direction the fuzzing client talks to an echo server, in the other a client that echoes talks to the fuzzing
server. The echoing ends are those of the ``websockets`` library.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import kosoku
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake

#: How often cases that differ are looked at again.
ATTEMPTS = 4

#: Seconds for one case of the fuzzing server.
CASE_TIMEOUT = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a case came to.

    Args:
        behavior, close: the verdicts on the messages and on the closing handshake.
        code: with which the peer closed.
        passed: both verdicts are acceptable.
    """

    behavior: str
    close: str
    code: int | None
    passed: bool


@dataclass(frozen=True)
class Comparison:
    """The cases of one direction: the ``direct`` and ``proxied`` outcomes seen, by case id.

    A case can have several: in some, what comes out depends on which of two frames is faster.
    """

    direct: dict[str, set[Outcome]]
    proxied: dict[str, set[Outcome]]

    @property
    def different(self) -> list[str]:
        """Ids of cases that never came out through the proxy as they did directly."""
        ids = sorted(self.direct.keys() | self.proxied.keys(), key=lambda case: [int(part) for part in case.split(".")])
        return [case for case in ids if not self.direct.get(case, set()) & self.proxied.get(case, set())]

    def summary(self) -> str:
        """Passed / same as direct / total."""
        total = len(self.direct.keys() | self.proxied.keys())
        passed = sum(any(outcome.passed for outcome in outcomes) for outcomes in self.proxied.values())
        return f"{passed} passed, {total - len(self.different)} the same as direct, {total} in all"


async def compare_servers(proxied_url: str, port: int, cases: Sequence[str]) -> Comparison:
    """The fuzzing client against an echo server.

    Args:
        proxied_url: the server's URL through the proxy.
        port: on which to run the server.
        cases: ids and patterns.
    """
    direct_url = f"ws://127.0.0.1:{port}/"
    async with serve(_echo, "127.0.0.1", port, max_size=None):

        async def run(chosen: Sequence[str], concurrency: int) -> Comparison:
            direct = await _fuzz(direct_url, chosen, concurrency)
            return Comparison(direct=direct, proxied=await _fuzz(proxied_url, chosen, concurrency))

        return await _settled(await run(cases, 4), lambda chosen: run(chosen, 1))


async def compare_clients(proxied_url: Callable[[str], str], port: int, cases: Sequence[str]) -> Comparison:
    """An echoing client against the fuzzing server.

    Args:
        proxied_url: the fuzzing server's URL through the proxy, for a path with a query.
        port: on which to run the fuzzing server.
        cases: ids and patterns.
    """

    async def run(chosen: Sequence[str]) -> Comparison:
        direct = await _take_all_cases(lambda path: f"ws://127.0.0.1:{port}/{path}", port, chosen)
        return Comparison(direct=direct, proxied=await _take_all_cases(proxied_url, port, chosen))

    return await _settled(await run(cases), run)


async def _settled(found: Comparison, again: Callable[[Sequence[str]], Awaitable[Comparison]]) -> Comparison:
    """Look again at the cases that differ, and add what they come to."""
    for _ in range(ATTEMPTS):
        if not found.different:
            break
        more = await again(found.different)
        found = Comparison(direct=_merged(found.direct, more.direct), proxied=_merged(found.proxied, more.proxied))
    return found


def _merged(outcomes: dict[str, set[Outcome]], more: dict[str, set[Outcome]]) -> dict[str, set[Outcome]]:
    return {case: outcomes.get(case, set()) | more.get(case, set()) for case in outcomes.keys() | more.keys()}


async def _take_all_cases(url: Callable[[str], str], port: int, cases: Sequence[str]) -> dict[str, set[Outcome]]:
    """Run the fuzzing server, and be its client for every case, as the Autobahn test suite wants it."""
    async with kosoku.run_fuzzingserver(list(cases), [], host="127.0.0.1", port=port) as server:
        async with connect(url("getCaseCount")) as connection:
            count = int(await connection.recv())
        for number in range(1, count + 1):
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                await asyncio.wait_for(_be_case(url(f"runCase?case={number}&agent=x")), CASE_TIMEOUT)
        async with connect(url("updateReports?agent=x")):
            pass
        try:
            return _outcomes(await server.get_result())
        except kosoku.FailureError as failure:
            return _outcomes(failure.results)


async def _be_case(url: str) -> None:
    async with connect(url, max_size=None) as connection:
        async for message in connection:
            await connection.send(message)


async def _fuzz(url: str, cases: Sequence[str], concurrency: int) -> dict[str, set[Outcome]]:
    try:
        return _outcomes(await kosoku.run_fuzzingclient(url, list(cases), [], concurrency=concurrency))
    except kosoku.FailureError as failure:
        return _outcomes(failure.results)


def _outcomes(results: Sequence[object]) -> dict[str, set[Outcome]]:
    return {
        result.case_id: {  # type: ignore[attr-defined]
            Outcome(
                result.behavior.value,  # type: ignore[attr-defined]
                result.behavior_close.value,  # type: ignore[attr-defined]
                result.remote_close_code,  # type: ignore[attr-defined]
                result.passed,  # type: ignore[attr-defined]
            )
        }
        for result in results
    }


async def _echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)
