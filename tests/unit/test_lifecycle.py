"""The options about starting and stopping, as people write them and as frozen data."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from traitlets.config import Application

from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.errors import ConfigurationError
from jupyter_server_proxy.lifecycle import Lifecycle
from jupyter_server_proxy.option import option_names
from jupyter_server_proxy.rules.spec import LifecycleSpec, LogFileSpec, ReadinessSpec


@pytest.fixture(autouse=True)
def no_application() -> Any:
    Application.clear_instance()
    yield
    Application.clear_instance()


def is_ready(port: int) -> bool:
    return True


def test_defaults_are_those_of_the_frozen_data() -> None:
    spec = Lifecycle().lifecycle()
    assert spec == LifecycleSpec()
    assert (spec.stop_signal, type(spec.stop_signal)) == (signal.SIGTERM, int)
    assert (spec.readiness, spec.log_file) == (ReadinessSpec(), LogFileSpec())


def test_every_option_arrives_in_its_normal_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    given: dict[str, Any] = {
        "autostart": True,
        "cwd": "~/work",
        "readiness": {"path": "/health", "statuses": ["2xx"]},
        "find_port": True,
        "restart_policy": "on-failure",
        "restart_delay": 2,
        "restart_delay_max": 20,
        "stop_signal": "int",
        "stop_timeout": 0,
        "idle_timeout": 600,
        "log_file": {"path": "~/app.log", "count": 1},
    }
    assert sorted(given) == sorted(option_names(Lifecycle)), "a new option needs a line here"
    spec = ServerProcess(name="app", command=["run"], **given).spec().lifecycle
    assert spec == LifecycleSpec(
        autostart=True,
        cwd="/home/somebody/work",
        readiness=ReadinessSpec("/health", (range(200, 300),)),
        find_port=True,
        restart_policy="on-failure",
        restart_delay=2.0,
        restart_delay_max=20.0,
        stop_signal=2,
        stop_timeout=0.0,
        idle_timeout=600.0,
        log_file=LogFileSpec("/home/somebody/app.log", count=1),
    )


def test_every_field_but_one_has_an_option() -> None:
    fields = set(LifecycleSpec._fields)
    assert fields - set(option_names(Lifecycle)) == {"stable_after"}


def test_readiness_may_be_a_path_or_a_callable() -> None:
    assert Lifecycle(readiness="/ready").lifecycle().readiness == ReadinessSpec("/ready")
    assert Lifecycle(readiness=is_ready).lifecycle().readiness == ReadinessSpec(function=is_ready)


def test_none_leaves_the_idle_timeout_to_what_holds_for_all_and_0_is_never() -> None:
    assert Lifecycle(idle_timeout=None).lifecycle().idle_timeout is None
    assert Lifecycle(idle_timeout=0).lifecycle().idle_timeout == 0.0


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("autostart", "yes", "must be True or False"),
        ("cwd", 3, "must be the path of a directory"),
        ("readiness", "ready", "begins with '/'"),
        ("find_port", 1, "must be True or False"),
        ("restart_policy", "sometimes", "'on-request', 'always', 'on-failure', 'never'"),
        ("restart_delay", -1, "seconds, 0 or more"),
        ("restart_delay_max", None, "seconds, 0 or more"),
        ("stop_signal", "SIGNOTHING", "must be a signal"),
        ("stop_timeout", "5", "seconds, 0 or more"),
        ("idle_timeout", -5, "seconds, 0 or more"),
        ("log_file", {"path": "/x", "count": -1}, "count"),
    ],
)
def test_messages_name_the_server_and_the_option(option: str, value: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerProcess(name="app", command=["run"], **{option: value})
    assert str(caught.value).startswith(f"server 'app': option {option!r} ")
    assert reason in str(caught.value)


def test_what_was_given_is_not_changed() -> None:
    given = {"path": "~/x.log"}
    statuses = ["2xx"]
    Lifecycle(log_file=given, readiness={"statuses": statuses}).lifecycle()
    assert (given, statuses) == ({"path": "~/x.log"}, ["2xx"])


@pytest.mark.parametrize("name", option_names(Lifecycle))
def test_every_option_has_a_help_that_tells_its_default(name: str) -> None:
    trait = Lifecycle.class_traits()[name]
    assert "Default: " in trait.help
