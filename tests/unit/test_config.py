"""The configuration as people write it."""

from __future__ import annotations

import ast
import copy
import logging
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Application, Config, Configurable

from jupyter_server_proxy import config, discovery, errors, option
from jupyter_server_proxy.config import LauncherEntry, ServerProcess, ServerProxy, make_server_process
from jupyter_server_proxy.discovery import read_servers
from jupyter_server_proxy.errors import ConfigurationError
from jupyter_server_proxy.rules import fields, options, spec
from jupyter_server_proxy.rules.spec import LauncherSpec, ServerSpec


def function(response: Any = None) -> dict[str, str]:
    return {}


def read(servers: Any, **options: Any) -> ServerProxy:
    """ServerProxy as it is after a configuration file set its options."""
    return ServerProxy(config=Config({"ServerProxy": {"servers": servers, **options}}))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.fixture(autouse=True)
def no_application() -> Any:
    """Nothing here may depend on an application that another test left behind."""
    Application.clear_instance()
    yield
    Application.clear_instance()


# One server


def test_defaults() -> None:
    spec = ServerProcess(name="x", command=["a"]).spec()
    assert spec == ServerSpec(name="x", command=("a",), launcher=LauncherSpec(title="x", path_info="x/"))
    assert (spec.timeout, spec.port, spec.unix_socket, spec.absolute_url) == (5.0, 0, None, False)
    assert (spec.new_browser_tab, spec.update_last_activity, spec.raw_socket_proxy) == (True, True, False)
    assert (spec.environment, spec.mappath, spec.request_headers_override) == ({}, {}, {})
    assert (spec.rewrite_response, spec.exclude_last_activity_patterns) == ((), ())
    assert (spec.launcher.enabled, spec.launcher.icon_path, spec.launcher.category) == (True, "", "Notebook")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("command", ["a", Path("/b")], ("a", "/b")),
        ("command", function, function),
        ("timeout", 60, 60.0),
        ("environment", {"A": "{port}", "B": None}, {"A": "{port}", "B": None}),
        ("environment", function, function),
        ("absolute_url", True, True),
        ("port", 8080, 8080),
        ("unix_socket", True, True),
        ("unix_socket", Path("/run/s"), "/run/s"),
        ("unix_socket", False, None),
        ("mappath", {"/": "/index.html?a=b"}, {"/": "/index.html?a=b"}),
        ("mappath", function, function),
        ("new_browser_tab", False, False),
        ("request_headers_override", {"X-A": "{base_url}"}, {"X-A": "{base_url}"}),
        ("request_headers_override", function, function),
        ("rewrite_response", function, (function,)),
        ("rewrite_response", [function, function], (function, function)),
        ("update_last_activity", False, False),
        ("update_last_activity", function, function),
        ("exclude_last_activity_patterns", ["/x", re.compile("/y")], (re.compile("/x"), re.compile("/y"))),
        ("raw_socket_proxy", True, True),
    ],
)
def test_each_option_reaches_the_spec(option: str, value: Any, expected: Any) -> None:
    spec = ServerProcess(**{"name": "x", "command": ["a"], option: value}).spec()
    assert getattr(spec, option) == expected


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("command", "python -m x", "must be a list of words, got a str"),
        ("timeout", "60", "must be a number of seconds above 0, got the str '60'"),
        ("environment", {"A": 3}, "A is of type int"),
        ("absolute_url", "yes", "must be True or False, got the str 'yes'"),
        ("port", "80a", "must be an integer from 0 to 65535, got the str '80a'"),
        ("unix_socket", 3, "must be True, False, None or the path of a socket, got the int 3"),
        ("mappath", "/x", "must be a dictionary or a callable"),
        ("new_browser_tab", 1, "must be True or False, got the int 1"),
        ("request_headers_override", {"a b": "x"}, "must have names of header fields as keys, got 'a b'"),
        ("rewrite_response", 3, "must be a function, or a list or tuple of functions, got the int 3"),
        ("update_last_activity", None, "must be True, False or a callable, got None"),
        ("exclude_last_activity_patterns", ["("], "must hold valid regular expressions"),
        ("raw_socket_proxy", None, "must be True or False, got None"),
        ("launcher_entry", 3, "must be a dictionary, a LauncherEntry, or a list of these, got a value of type int"),
        (
            "launcher_entry",
            None,
            "must be a dictionary, a LauncherEntry, or a list of these, got a value of type NoneType",
        ),
    ],
)
def test_a_wrong_value_names_server_option_and_remedy_p11(
    option: str, value: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"command": ["a"], option: value}
    start = re.escape(f"server 'x': option {option!r} ") + ".*" + re.escape(message)
    with pytest.raises(ConfigurationError, match=start):
        make_server_process("x", options)
    with pytest.raises(TraitError, match=start):
        ServerProcess(name="x", **options)
    assert not warnings_of(caplog)

    proxy = read({"x": options, "y": {"port": 80}})
    assert list(proxy.servers) == ["y"]
    (warning,) = warnings_of(caplog)
    assert re.match(start + ".*; this server is skipped$", warning)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("enabled", "no", "must be True or False, got the str 'no'"),
        ("icon_path", 3, "must be the path of a file, got the int 3"),
        ("title", None, "must be a string, got None"),
        ("path_info", 3, "must be a string, got the int 3"),
        ("category", 3, "must be a string, got the int 3"),
    ],
)
def test_a_wrong_launcher_entry_names_its_key(option: str, value: Any, message: str) -> None:
    expected = re.escape(f"server 'x': option 'launcher_entry.{option}' {message}")
    with pytest.raises(ConfigurationError, match=expected):
        make_server_process("x", {"port": 1, "launcher_entry": {option: value}})


@pytest.mark.parametrize("command", [[], "", None, ()])
def test_without_a_command_the_server_is_not_managed(command: Any) -> None:
    assert make_server_process("x", {"command": command, "port": 80}).spec().command == ()
    assert make_server_process("x", {"command": command, "unix_socket": "/s"}).spec().command == ()


@pytest.mark.parametrize("options", [{}, {"command": []}, {"unix_socket": True}, {"timeout": 3}])
def test_without_command_port_and_socket_it_is_skipped(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert read({"x": options}).servers == {}
    (warning,) = warnings_of(caplog)
    assert "server 'x': nothing tells how to reach it; set 'command' to start it, or 'port'" in warning
    assert warning.endswith("this server is skipped")


def test_none_in_a_command_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    """What shutil.which returns for a program that is not installed."""
    assert read({"x": {"command": [None, "--port={port}"]}}).servers == {}
    (warning,) = warnings_of(caplog)
    assert "'command' has None in place of word 1 of 2; probably a program is not installed" in warning


@pytest.mark.parametrize("name", ["a b", "a?b", "/a", "a/", "proxy", "server-proxy", 3])
def test_names_that_cannot_be_a_url_are_skipped_and_named(name: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert read({name: {"port": 1}}).servers == {}
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"server {name!r}: option 'name' must ")


def test_an_option_may_override_the_name() -> None:
    proxy = read({"key": {"name": "desktop/x", "port": 1}})
    assert proxy.servers["key"].name == "desktop/x"
    assert proxy.servers["key"].spec().launcher.path_info == "desktop/x/"


def test_a_server_without_a_name_cannot_be_used() -> None:
    with pytest.raises(ConfigurationError, match="no name"):
        ServerProcess(port=1).spec()


def test_a_relative_socket_path_becomes_absolute() -> None:
    assert ServerProcess(name="x", unix_socket="s.sock").spec().unix_socket == os.path.abspath("s.sock")


# The launcher


def test_several_entries_for_one_server(caplog: pytest.LogCaptureFixture) -> None:
    entries = [
        {"title": "One"},
        {"path_info": "x/two?a=1#b", "icon_path": "/nowhere.svg"},
        LauncherEntry(enabled=False),
    ]
    server = make_server_process("x", {"port": 1, "launcher_entry": entries})
    assert [(e.title, e.path_info, e.enabled) for e in server.launcher_entries] == [
        ("One", "x/", True),
        ("x", "x/two?a=1#b", True),
        ("x", "x/", False),
    ]
    assert server.launcher_entry is server.launcher_entries[0]
    assert server.spec().launcher.title == "One"
    assert "there is no file '/nowhere.svg'" in caplog.text
    assert entries[0] == {"title": "One"}


def test_no_entry_at_all() -> None:
    server = make_server_process("x", {"port": 1, "launcher_entry": []})
    assert [entry.enabled for entry in server.launcher_entries] == [False]


def test_a_wrong_entry_of_several_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"option 'launcher_entry\[1\]\.title' must be a string"):
        make_server_process("x", {"port": 1, "launcher_entry": [{}, {"title": 3}]})


def test_launcher_entry_of_a_dictionary(tmp_path: Path) -> None:
    icon = tmp_path / "icon.svg"
    icon.touch()
    entry = {"enabled": False, "icon_path": icon, "title": "T", "path_info": "x?tkn=1", "category": "Other"}
    spec = make_server_process("x", {"port": 1, "launcher_entry": entry}).spec()
    assert spec.launcher == LauncherSpec(False, str(icon), "T", "x?tkn=1", "Other")


def test_only_what_an_entry_lacks_is_filled_in_and_it_is_not_changed() -> None:
    entry = LauncherEntry(title="T")
    first, second = (ServerProcess(name=name, port=1, launcher_entry=entry) for name in ("a", "b"))
    assert first.spec().launcher == LauncherSpec(title="T", path_info="a/")
    assert second.spec().launcher == LauncherSpec(title="T", path_info="b/")
    assert entry.path_info == ""
    assert first.launcher_entry.path_info == "a/"


def test_a_missing_icon_only_warns(caplog: pytest.LogCaptureFixture) -> None:
    server = make_server_process("x", {"port": 1, "launcher_entry": {"icon_path": "/nowhere/icon.svg"}})
    assert server.spec().launcher.icon_path == "/nowhere/icon.svg"
    assert warnings_of(caplog) == [
        "server 'x': option 'launcher_entry.icon_path': there is no file '/nowhere/icon.svg'"
    ]


# Unknown keys, unchanged dictionaries


def test_unknown_keys_only_warn_with_a_suggestion(caplog: pytest.LogCaptureFixture) -> None:
    options = {
        "port": 1,
        "new_browser_window": True,
        "qqq": 1,
        3: 4,
        "config": {},
        "launcher_entry": {"titel": "T", "category": "C"},
    }
    server = make_server_process("x", options)  # type: ignore[arg-type]
    assert server.spec().launcher == LauncherSpec(title="x", path_info="x/", category="C")
    assert warnings_of(caplog) == [
        "server 'x': unknown key 'new_browser_window' is ignored; did you mean 'new_browser_tab'?",
        "server 'x': unknown key 'qqq' is ignored",
        "server 'x': unknown key 3 is ignored",
        "server 'x': unknown key 'config' is ignored",
        "server 'x': option 'launcher_entry': unknown key 'titel' is ignored; did you mean 'title'?",
    ]


def test_unknown_keys_of_the_classes_only_warn(caplog: pytest.LogCaptureFixture) -> None:
    ServerProcess(name="x", port=1, prot=2, launcher_entry={"titel": "T"})
    LauncherEntry(url="u")
    assert warnings_of(caplog) == [
        "server 'x': unknown key 'prot' is ignored; did you mean 'port'?",
        "server 'x': option 'launcher_entry': unknown key 'titel' is ignored; did you mean 'title'?",
        "launcher_entry: unknown key 'url' is ignored",
    ]


def test_dictionaries_are_never_mutated() -> None:
    shared = {
        "command": ["a"],
        "environment": {"A": "1"},
        "mappath": {"/": "/x"},
        "request_headers_override": {"X": "1"},
        "exclude_last_activity_patterns": ["/x"],
        "launcher_entry": {"category": "C"},
        "unknown": {},
    }
    before = copy.deepcopy(shared)
    for name in ("a", "b"):
        server = make_server_process(name, shared)
        server.environment["B"] = "2"
        server.command.append("b")
        server.mappath["/a"] = "/b"
        server.request_headers_override["Y"] = "1"
        server.launcher_entry.title = "changed"
    assert shared == before


def test_defaults_are_not_shared() -> None:
    first, second = ServerProcess(name="a", port=1), ServerProcess(name="b", port=1)
    first.environment["A"] = "1"
    first.command.append("x")
    assert (second.environment, second.command) == ({}, [])


def test_a_spec_does_not_follow_later_changes() -> None:
    server = ServerProcess(name="x", port=1, environment={"A": "1"})
    spec = server.spec()
    server.environment["B"] = "2"
    server.port = 2
    assert (spec.environment, spec.port, server.spec().port) == ({"A": "1"}, 1, 2)


# Instances and subclasses


class Assigning(ServerProcess):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.port = 4321
        self.mappath = {"/": "/x"}
        self.unix_socket = None
        self.own_attribute = 1


def test_instances_and_subclasses_are_accepted_and_named() -> None:
    process = Assigning()
    named = ServerProcess(name="other", port=1)
    proxy = ServerProxy(servers={"x": process, "y": named})
    assert proxy.servers["x"] is process
    assert (process.name, named.name) == ("x", "other")
    assert (process.spec().port, process.spec().mappath) == (4321, {"/": "/x"})
    assert process.spec().launcher == LauncherSpec(title="x", path_info="x/")


def test_subclasses_survive_the_copy_that_traitlets_makes_of_a_configuration() -> None:
    process = read({"x": Assigning()}).servers["x"]
    assert (type(process), process.name, process.own_attribute, process.spec().port) == (Assigning, "x", 1, 4321)


def test_assigning_a_wrong_value_is_refused() -> None:
    process = Assigning(name="x")
    with pytest.raises(TraitError, match="server 'x': option 'port' must be an integer"):
        process.port = "1"


def test_a_subclass_with_its_own_handler_needs_neither_command_nor_port() -> None:
    class OwnHandler(ServerProcess):
        def make_proxy_handler(self) -> Any:
            return object, {}

    assert list(read({"x": OwnHandler()}).servers) == ["x"]


def test_an_instance_that_lacks_everything_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    assert read({"x": ServerProcess()}).servers == {}
    assert "server 'x': nothing tells how to reach it" in warnings_of(caplog)[0]


# ServerProxy


def test_one_broken_server_leaves_the_others_working_p11(caplog: pytest.LogCaptureFixture) -> None:
    proxy = read({"bad": {"port": "80a"}, "good": {"command": ["a"]}, "worse": 3, "worst": None})
    assert {name: type(server) for name, server in proxy.servers.items()} == {"good": ServerProcess}
    assert warnings_of(caplog) == [
        "server 'bad': option 'port' must be an integer from 0 to 65535, got the str '80a'; this server is skipped",
        "server 'worse': its configuration must be a dictionary or a ServerProcess, got a value of type int; "
        "this server is skipped",
        "server 'worst': its configuration must be a dictionary or a ServerProcess, got a value of type NoneType; "
        "this server is skipped",
    ]


def test_a_parents_log_gets_the_warnings() -> None:
    class Parent(Configurable):
        log = logging.getLogger("parent")

    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    Parent.log.addHandler(handler)
    ServerProxy(parent=Parent(config=Config({"ServerProxy": {"servers": {"x": {"port": -1}}}})))
    assert len(seen) == 1
    assert "server 'x'" in seen[0]


def test_servers_must_be_a_dictionary() -> None:
    with pytest.raises(TraitError):
        read(["x"])


def test_host_allowlist() -> None:
    first, second = ServerProxy(), ServerProxy()
    assert first.host_allowlist == ["localhost", "127.0.0.1"]
    first.host_allowlist.append("x")
    assert second.host_allowlist == ["localhost", "127.0.0.1"]
    assert read({}, host_allowlist=["a"]).host_allowlist == ["a"]
    assert read({}, host_allowlist=function).host_allowlist is function
    for wrong in ("localhost", [3], None):
        with pytest.raises(TraitError, match="host_allowlist"):
            read({}, host_allowlist=wrong)


def test_host_whitelist_warns_and_sets_host_allowlist(caplog: pytest.LogCaptureFixture) -> None:
    assert read({}, host_whitelist=["a"]).host_allowlist == ["a"]
    (warning,) = warnings_of(caplog)
    assert "host_whitelist is deprecated" in warning
    assert "ServerProxy.host_allowlist" in warning


def test_non_service_rewrite_response() -> None:
    assert ServerProxy().non_service_rewrite_response == ()
    assert read({}, non_service_rewrite_response=function).non_service_rewrite_response == (function,)
    assert read({}, non_service_rewrite_response=[function]).non_service_rewrite_response == (function,)
    with pytest.raises(TraitError, match="ServerProxy: option 'non_service_rewrite_response' must be a function"):
        read({}, non_service_rewrite_response=3)


def test_the_configuration_wins_over_entry_points(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [ServerProcess(name=name, port=port) for name, port in [("x", 2), ("y", 3), ("y", 4)]]
    monkeypatch.setattr(discovery, "discover", lambda log: found)
    log = logging.getLogger("test")
    with caplog.at_level(logging.INFO):
        servers = read_servers(read({"x": {"port": 1}}), log)
    assert [(server.name, server.port) for server in servers] == [("x", 1), ("y", 3)]
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert "server 'x' is defined more than once" in caplog.records[0].getMessage()


def test_the_help_describes_every_option() -> None:
    text = ServerProxy.class_get_help()
    for name in option.option_names(ServerProcess):
        assert f"\n    {name}\n" in text
        assert ServerProcess.class_traits()[name].help


@pytest.mark.parametrize("module", [config, discovery, option, options, fields, spec, errors])
def test_importing_stays_cheap(module: ModuleType) -> None:
    """These are all the modules of ours that configuration needs."""
    assert module.__file__
    imported = {
        name
        for statement in ast.parse(Path(module.__file__).read_text()).body
        for name in (
            [alias.name for alias in statement.names]
            if isinstance(statement, ast.Import)
            else [statement.module or ""]
            if isinstance(statement, ast.ImportFrom) and not statement.level
            else []
        )
    }
    others = {name.partition(".")[0] for name in imported} - {"traitlets"}
    assert others <= sys.stdlib_module_names - {"asyncio", "importlib"}
