"""What Jupyter's event logger is told."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_events import EventLogger
from jupyter_server.serverapp import JUPYTER_SERVER_EVENTS_URI

from jupyter_server_proxy.supervise.facts import Exit, Facts, Failure, State
from jupyter_server_proxy.web.events import SCHEMA_ID, EventReporter

LOG = logging.getLogger("test_events")


class Recorder(logging.Handler):
    """Keeps the events that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = json.loads(self.format(record))
        self.events.append({key: event[key] for key in event if not key.startswith("__") and key != "taskName"})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def event_logger(recorder: Recorder) -> EventLogger:
    return EventLogger(handlers=[recorder])


def managed(**changes: Any) -> Any:
    values: dict[str, Any] = dict.fromkeys(Facts._fields)
    values.update({"state": State.READY, "since": 1000.0, **changes})
    facts = Facts(**values)
    return SimpleNamespace(spec=SimpleNamespace(name="lab"), facts=lambda: facts)


def test_the_schema_belongs_to_jupyters_events(event_logger: EventLogger) -> None:
    EventReporter(event_logger, LOG)
    schema = event_logger.schemas.get(SCHEMA_ID)
    assert schema.id.startswith(JUPYTER_SERVER_EVENTS_URI.rsplit("/", 1)[0])
    assert set(schema._schema["properties"]["state"]["enum"]) == {state.value for state in State}
    assert set(schema._schema["properties"]["previous"]["enum"]) == {state.value for state in State}


def test_a_start_is_told(event_logger: EventLogger, recorder: Recorder) -> None:
    reporter = EventReporter(event_logger, LOG)
    reporter.report(managed(), State.STOPPED, State.STARTING)
    reporter.report(managed(pid=42, start_seconds=1.5), State.STARTING, State.READY)
    assert recorder.events == [
        {"server": "lab", "state": "starting", "previous": "stopped"},
        {"server": "lab", "state": "ready", "previous": "starting", "pid": 42, "start_seconds": 1.5},
    ]


def test_a_failure_is_told_with_its_reason_and_without_output(event_logger: EventLogger, recorder: Recorder) -> None:
    failure = Failure("It ended.", exit_code=3, time=1001.0, output=("secret",), command="also secret")
    EventReporter(event_logger, LOG).report(managed(failure=failure, start_seconds=9.0), State.STARTING, State.FAILED)
    assert recorder.events == [
        {"server": "lab", "state": "failed", "previous": "starting", "reason": "It ended.", "exit_code": 3}
    ]


def test_a_signal_is_no_exit_code(event_logger: EventLogger, recorder: Recorder) -> None:
    failure = Failure("It ended.", exit_code=-9, time=1001.0)
    EventReporter(event_logger, LOG).report(
        managed(failure=failure, last_exit=Exit(None, "SIGKILL", 1001.0)), State.STARTING, State.FAILED
    )
    assert recorder.events == [
        {"server": "lab", "state": "failed", "previous": "starting", "reason": "It ended.", "signal": "SIGKILL"}
    ]


def test_how_a_process_ended_is_told(event_logger: EventLogger, recorder: Recorder) -> None:
    reporter = EventReporter(event_logger, LOG)
    reporter.report(managed(), State.STOPPED, State.STARTING)
    reporter.report(managed(last_exit=Exit(None, "SIGKILL", 1005.0)), State.READY, State.STOPPING)
    reporter.report(managed(last_exit=Exit(0, None, 1006.0)), State.STOPPING, State.STOPPED)
    assert recorder.events[1:] == [
        {"server": "lab", "state": "stopping", "previous": "ready", "signal": "SIGKILL"},
        {"server": "lab", "state": "stopped", "previous": "stopping", "exit_code": 0},
    ]


def test_how_an_earlier_process_ended_is_not_told_again(event_logger: EventLogger, recorder: Recorder) -> None:
    reporter = EventReporter(event_logger, LOG)
    before = Exit(3, None, 999.0)
    reporter.report(managed(last_exit=before), State.STOPPED, State.STARTING)
    reporter.report(managed(last_exit=before), State.STARTING, State.READY)
    reporter.report(managed(last_exit=before), State.READY, State.STOPPING)
    assert not any("exit_code" in event for event in recorder.events)


def test_changes_of_stage_are_not_told(event_logger: EventLogger, recorder: Recorder) -> None:
    EventReporter(event_logger, LOG).report(managed(), State.STARTING, State.STARTING)
    assert recorder.events == []


def test_the_extension_may_be_loaded_twice(event_logger: EventLogger, recorder: Recorder) -> None:
    EventReporter(event_logger, LOG)
    EventReporter(event_logger, LOG).report(managed(), State.STOPPED, State.STARTING)
    assert len(recorder.events) == 1


def test_a_jupyter_without_event_logger_is_told_nothing() -> None:
    EventReporter(None, LOG).report(managed(), State.STOPPED, State.STARTING)


def test_failures_of_the_event_logger_are_logged_once(
    event_logger: EventLogger, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no space left")

    reporter = EventReporter(event_logger, LOG)
    event_logger.emit = fail  # type: ignore[method-assign]
    with caplog.at_level(logging.DEBUG):
        reporter.report(managed(), State.STOPPED, State.STARTING)
        reporter.report(managed(), State.STARTING, State.READY)
    assert [record.getMessage() for record in caplog.records if "no space left" in record.getMessage()] == [
        "Changes of the state of servers could not be told to Jupyter's event logger (this is said once): "
        "RuntimeError: no space left"
    ]


def test_a_schema_that_is_refused_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Refuses:
        schemas: tuple[str, ...] = ()

        def register_event_schema(self, schema: Any) -> None:
            raise ValueError("not this one")

    reporter = EventReporter(Refuses(), LOG)  # type: ignore[arg-type]
    reporter.report(managed(), State.STOPPED, State.STARTING)
    assert "not this one" in caplog.text
    assert len(caplog.records) == 1
