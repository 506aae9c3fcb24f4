"""Autobahn cases of every kind give the same result as a direct connection; all of them by ``make conformance``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import Jupyter, free_port

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from comparison import compare_clients, compare_servers

pytestmark = pytest.mark.behaviour("W1", "W2", "W5", "W6")

#: Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, sizes, compression.
CASES = [
    "1.*",
    "2.*",
    "3.*",
    "4.*",
    "5.*",
    "6.2.*",
    "6.4.*",
    "7.*",
    "9.1.1",
    "9.2.1",
    "9.7.1",
    "10.*",
    "12.1.1",
    "13.1.1",
]


@pytest.fixture(scope="module")
def jupyter(start_jupyter) -> Jupyter:
    return start_jupyter("", log_level="INFO")


async def test_w6_servers_behind_the_proxy(jupyter: Jupyter) -> None:
    port = free_port()
    comparison = await compare_servers(jupyter.websocket_url(f"proxy/{port}/"), port, CASES)
    assert len(comparison.direct) > 110
    assert comparison.different == []


async def test_w6_clients_before_the_proxy(jupyter: Jupyter) -> None:
    port = free_port()
    comparison = await compare_clients(lambda path: jupyter.websocket_url(f"proxy/{port}/{path}"), port, CASES)
    assert len(comparison.direct) > 110
    assert comparison.different == []
