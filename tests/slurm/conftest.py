"""Fixtures: a Slurm cluster, and JupyterHubs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "hub"))
sys.path.append(str(Path(__file__).parents[1] / "integration"))

from cluster import Cluster
from hub import Hub


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    one = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def start_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Hub]]:
    hubs: list[Hub] = []

    def start(config: str = "", **options: Any) -> Hub:
        hub = Hub(tmp_path_factory.mktemp("hub") / "hub", config, **options)
        hubs.append(hub)
        return hub.wait_ready()

    yield start
    for hub in hubs:
        hub.stop()
