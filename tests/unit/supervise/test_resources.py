"""What the processes of servers use, with processes that are pretended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jupyter_server_proxy.supervise import resources as module
from jupyter_server_proxy.supervise.resources import ResourceMeter, Resources


class FakeProcess:
    """A process; ``gone`` names the questions that find it gone."""

    def __init__(self, pid: int, parent: int, *, cpu: float = 0.0, rss: int = 0, created: float = 900.0) -> None:
        self.pid = pid
        self.parent = parent
        self.cpu = cpu
        self.rss = rss
        self.created = created
        self.gone: set[str] = set()

    def _ask(self, question: str) -> None:
        if question in self.gone:
            raise psutil.NoSuchProcess(self.pid)

    def ppid(self) -> int:
        self._ask("ppid")
        return self.parent

    def oneshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    def cpu_times(self) -> Any:
        self._ask("cpu_times")
        return SimpleNamespace(user=self.cpu * 0.75, system=self.cpu * 0.25)

    def memory_info(self) -> Any:
        self._ask("memory_info")
        return SimpleNamespace(rss=self.rss)

    def create_time(self) -> float:
        self._ask("create_time")
        return self.created


class System:
    """The processes that there are, and the time."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.now = 1000.0

    def add(self, pid: int, parent: int, **values: Any) -> FakeProcess:
        self.processes.append(FakeProcess(pid, parent, **values))
        return self.processes[-1]

    def process_iter(self) -> Iterator[FakeProcess]:
        return iter(self.processes)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    monkeypatch.setattr(module.psutil, "process_iter", system.process_iter)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: system.now))
    return system


def test_a_process_and_all_its_descendants_are_added_up(system: System) -> None:
    system.add(1, 0, cpu=1000, rss=1000)
    system.add(12, 11, cpu=2, rss=30)  # a descendant may come before its ancestors
    system.add(10, 1, cpu=5, rss=10)
    system.add(11, 10, cpu=3, rss=20)
    system.add(20, 1, cpu=50, rss=500)
    assert ResourceMeter().measure([10]) == {10: Resources(10.0, 60, 3)}


def test_any_number_of_trees_is_measured_at_once(system: System) -> None:
    system.add(10, 1, cpu=10, rss=1)
    system.add(20, 1, cpu=20, rss=2)
    measured = ResourceMeter().measure(iter([10, 20, 30]))
    assert measured == {10: Resources(10.0, 1, 1), 20: Resources(20.0, 2, 1)}


def test_nothing_is_measured_of_nobody(system: System) -> None:
    system.add(10, 1)
    assert ResourceMeter().measure([]) == {}


def test_cpu_time_counts_since_the_last_measurement(system: System) -> None:
    meter = ResourceMeter()
    root, child = system.add(10, 1, cpu=10, created=900), system.add(11, 10, cpu=40, created=950)
    assert meter.measure([10])[10].cpu_percent == 50.0, "since it was started"
    system.now += 4
    root.cpu += 1
    child.cpu += 5
    assert meter.measure([10])[10].cpu_percent == 150.0
    system.now += 4
    assert meter.measure([10])[10].cpu_percent == 0.0


def test_percentages_are_rounded(system: System) -> None:
    system.add(10, 1, cpu=1, created=997)
    assert ResourceMeter().measure([10])[10].cpu_percent == 33.3


def test_a_descendant_that_has_ended_is_no_negative_use(system: System) -> None:
    meter = ResourceMeter()
    system.add(10, 1, cpu=1)
    system.add(11, 10, cpu=100)
    meter.measure([10])
    system.now += 10
    del system.processes[1]
    assert meter.measure([10]) == {10: Resources(0.0, 0, 1)}


def test_two_measurements_at_one_moment(system: System) -> None:
    meter = ResourceMeter()
    root = system.add(10, 1, created=system.now)
    assert meter.measure([10])[10].cpu_percent == 0.0
    root.cpu += 0.005
    assert meter.measure([10])[10].cpu_percent == 50.0


def test_a_process_number_that_was_given_anew_is_another_process(system: System) -> None:
    meter = ResourceMeter()
    system.add(10, 1, cpu=90, created=900)
    meter.measure([10])
    system.processes[0] = FakeProcess(10, 1, cpu=5, created=1000)
    system.now += 10
    assert meter.measure([10])[10].cpu_percent == 50.0


def test_a_measurement_of_one_tree_does_not_disturb_those_of_others(system: System) -> None:
    meter = ResourceMeter()
    system.add(10, 1, cpu=90)
    other = system.add(20, 1, cpu=90)
    meter.measure([10, 20])
    system.now += 5
    meter.measure([10])
    system.now += 5
    other.cpu += 5
    assert meter.measure([10, 20])[20].cpu_percent == 50.0


def test_nothing_is_remembered_of_processes_that_are_gone(system: System) -> None:
    meter = ResourceMeter()
    system.add(10, 1)
    meter.measure([10])
    system.processes.clear()
    meter.measure([10])
    assert meter._before == {}


# ---- processes that vanish while they are looked at


def test_a_descendant_that_vanishes_is_left_out(system: System) -> None:
    system.add(10, 1, rss=1)
    for number, question in enumerate(("ppid", "cpu_times", "memory_info"), 11):
        system.add(number, 10, cpu=100, rss=100).gone.add(question)
    assert ResourceMeter().measure([10]) == {10: Resources(0.0, 1, 1)}


@pytest.mark.parametrize(
    "gone", [{"ppid"}, {"create_time"}, {"cpu_times", "create_time"}, {"memory_info", "create_time"}]
)
def test_a_root_that_vanishes_is_left_out_and_disturbs_no_other(system: System, gone: set[str]) -> None:
    system.add(10, 1, cpu=10, rss=1).gone = gone
    system.add(20, 1, cpu=20, rss=2)
    meter = ResourceMeter()
    assert meter.measure([10, 20]) == {20: Resources(20.0, 2, 1)}
    assert len(meter._before) == 1


def test_a_root_that_vanishes_in_the_end_leaves_its_children(system: System) -> None:
    system.add(10, 1, cpu=10, rss=1).gone = {"cpu_times", "memory_info"}
    system.add(11, 10, cpu=20, rss=2)
    assert ResourceMeter().measure([10]) == {10: Resources(20.0, 2, 1)}


def test_parents_in_a_circle_are_counted_once(system: System) -> None:
    """Numbers may be given anew while the list is made."""
    system.add(10, 11, rss=1)
    system.add(11, 10, rss=2)
    assert ResourceMeter().measure([10])[10].memory_bytes == 3
