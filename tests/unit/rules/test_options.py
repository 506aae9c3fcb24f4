"""What each option may be."""

from __future__ import annotations

import re
import signal
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from jupyter_server_proxy.rules import options
from jupyter_server_proxy.rules.spec import LogFileSpec, ReadinessSpec


def function(port: int) -> list[str]:
    return []


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")


PATTERN = re.compile("/x")

ACCEPTED: list[tuple[Any, Any, Any]] = [
    (options.name, "", ""),
    (options.name, "desktop/x", "desktop/x"),
    (options.name, "a-b_c.d~1", "a-b_c.d~1"),
    (options.name, "proxy-x", "proxy-x"),
    (options.command, [], []),
    (options.command, (), []),
    (options.command, "", []),
    (options.command, None, []),
    (options.command, ("a", Path("/b")), ["a", "/b"]),
    (options.command, function, function),
    (options.environment, None, {}),
    (options.environment, {"A": "x", "B": None, "C": Path("/c")}, {"A": "x", "B": None, "C": "/c"}),
    (options.environment, function, function),
    (options.timeout, 3, 3.0),
    (options.timeout, 0.5, 0.5),
    (options.boolean, True, True),
    (options.port, 0, 0),
    (options.port, 65535, 65535),
    (options.unix_socket, None, None),
    (options.unix_socket, False, None),
    (options.unix_socket, "", None),
    (options.unix_socket, True, True),
    (options.unix_socket, "/s", "/s"),
    (options.unix_socket, Path("/s"), "/s"),
    (options.mappath, OrderedDict(a="/b?c"), {"a": "/b?c"}),
    (options.mappath, function, function),
    (options.request_headers_override, {"X-A": "{port}"}, {"X-A": "{port}"}),
    (options.request_headers_override, function, function),
    (options.rewrite_response, None, ()),
    (options.rewrite_response, function, (function,)),
    (options.rewrite_response, [function, function], (function, function)),
    (options.rewrite_response, (function,), (function,)),
    (options.update_last_activity, False, False),
    (options.update_last_activity, function, function),
    (options.exclude_last_activity_patterns, ("/x", PATTERN), [PATTERN, PATTERN]),
    (options.seconds, 0, 0.0),
    (options.seconds, 2.5, 2.5),
    (options.seconds, float("inf"), float("inf")),
    (options.optional_idle_seconds, None, None),
    (options.optional_idle_seconds, 0, 0.0),
    (options.optional_idle_seconds, 600, 600.0),
    (options.optional_seconds, None, None),
    (options.optional_seconds, 1, 1.0),
    *((options.restart_policy, word, word) for word in ("on-request", "always", "on-failure", "never")),
    (options.stop_signal, "SIGTERM", 15),
    (options.stop_signal, "int", 2),
    (options.stop_signal, "sigint", 2),
    (options.stop_signal, 9, 9),
    (options.stop_signal, signal.SIGHUP, 1),
    (options.directory, None, ""),
    (options.directory, "", ""),
    (options.directory, "work", "work"),
    (options.directory, Path("/srv"), "/srv"),
    (options.directory, "~", "/home/somebody"),
    (options.directory, "~/work", "/home/somebody/work"),
    (options.directory, "/srv/~", "/srv/~"),
    (options.readiness, None, ReadinessSpec("/")),
    (options.readiness, {}, ReadinessSpec("/")),
    (options.readiness, "/health?x={port}", ReadinessSpec("/health?x={port}")),
    (options.readiness, {"path": "/h"}, ReadinessSpec("/h")),
    (options.readiness, {"statuses": 200}, ReadinessSpec("/", (range(200, 201),))),
    (options.readiness, {"statuses": "2xx"}, ReadinessSpec("/", (range(200, 300),))),
    (options.readiness, {"statuses": None}, ReadinessSpec("/")),
    (
        options.readiness,
        {"path": "/h", "statuses": ["2XX", 401, "5xx"]},
        ReadinessSpec("/h", (range(200, 300), range(401, 402), range(500, 600))),
    ),
    (options.readiness, function, ReadinessSpec(function=function)),
    (options.log_file, None, LogFileSpec("", 10_485_760, 3)),
    (options.log_file, "", LogFileSpec()),
    (options.log_file, {}, LogFileSpec()),
    (options.log_file, "~/app.log", LogFileSpec("/home/somebody/app.log")),
    (options.log_file, Path("/var/app.log"), LogFileSpec("/var/app.log")),
    (options.log_file, {"path": "/a.log"}, LogFileSpec("/a.log", 10_485_760, 3)),
    (options.log_file, {"path": "~/a", "max_bytes": 1, "count": 2}, LogFileSpec("/home/somebody/a", 1, 2)),
    (options.text, "x", "x"),
    (options.icon_path, Path("/i.svg"), "/i.svg"),
    (options.icon_path, None, ""),
]

REFUSED: list[tuple[Any, Any, str]] = [
    (options.name, 3, "must be a string, got the int 3"),
    (options.name, "a b", "characters that stand in a URL as they are, got 'a b'"),
    (options.name, "a?b", "characters that stand in a URL"),
    (options.name, "a#b", "characters that stand in a URL"),
    (options.name, "a%20b", "characters that stand in a URL"),
    (options.name, "caf\u00e9", "characters that stand in a URL"),
    (options.name, "a\n", "characters that stand in a URL"),
    (options.name, "/a", "must not have empty parts"),
    (options.name, "a/", "must not have empty parts"),
    (options.name, "a//b", "must not have empty parts"),
    (options.name, "a/../b", "must not have empty parts, '.' or '..'"),
    (options.name, "proxy", "must not begin with 'proxy'"),
    (options.name, "server-proxy/x", "must not begin with 'server-proxy'"),
    (options.command, 3, "must be a list of words or a callable, got the int 3"),
    (
        options.command,
        "python -m x --token s3cret",
        r"got a str; shlex.split\(...\) makes a list of it: \['python', ...\]",
    ),
    (options.command, "python", r"makes a list of it: \['python'\]$"),
    (options.command, "KEY=s3cret python", r"makes a list of it$"),
    (options.command, "python 'open s3cret", r"makes a list of it$"),
    (options.command, ["s3cret", None], "None in place of word 2 of 2; probably a program is not installed"),
    (options.command, ["s3cret", 8888], "word 2 of 2 is of type int"),
    (options.command, ["s3cret\0"], "must not contain NUL, but word 1 of 1 does"),
    (options.environment, ["s3cret"], "must be a dictionary or a callable, got a value of type list"),
    (options.environment, "s3cret", "must be a dictionary or a callable, got a value of type str"),
    (options.environment, {"A": 3}, "A is of type int"),
    (options.environment, {"A": "s3cret\0"}, "A is a str with NUL"),
    (options.environment, {"A=B": "s3cret"}, "names of variables as keys .*got 'A=B'"),
    (options.environment, {3: "s3cret"}, "got 3"),
    (options.timeout, 0, "must be a number of seconds above 0, got the int 0"),
    (options.timeout, -1.5, "got the float -1.5"),
    (options.timeout, float("nan"), "got the float nan"),
    (options.timeout, "5", "got the str '5'"),
    (options.timeout, True, "got True"),
    (options.boolean, 1, "must be True or False, got the int 1"),
    (options.boolean, "true", "got the str 'true'"),
    (options.boolean, None, "got None"),
    (options.port, "80a", "must be an integer from 0 to 65535, got the str '80a'"),
    (options.port, 65536, "got the int 65536"),
    (options.port, -1, "got the int -1"),
    (options.port, True, "got True"),
    (options.port, None, "got None"),
    (options.unix_socket, 3, "must be True, False, None or the path of a socket, got the int 3"),
    (options.unix_socket, "/a\0", "contains NUL"),
    (options.unix_socket, "/" + "a" * 107, "at most 107 bytes"),
    (options.mappath, "/x", "must be a dictionary or a callable"),
    (options.mappath, {"a": 3}, "must map strings to strings, got the int 3 for 'a'"),
    (options.request_headers_override, {"A b": "s3cret"}, "must have names of header fields as keys, got 'A b'"),
    (options.request_headers_override, {"A": 3}, "A is of type int"),
    (options.request_headers_override, {"A": "s3cret\r\n"}, "in the value of A"),
    (options.rewrite_response, "f", "must be a function, or a list or tuple of functions, got the str 'f'"),
    (options.rewrite_response, [function, "f"], "number 2 of 2 is the str 'f'"),
    (options.update_last_activity, "yes", "must be True, False or a callable, got the str 'yes'"),
    (options.exclude_last_activity_patterns, "/x", "must be a list of regular expressions, got the str '/x'"),
    (options.exclude_last_activity_patterns, ["("], r"'\(' is none: missing \)"),
    (options.exclude_last_activity_patterns, [re.compile(b"x")], "got a value of type Pattern"),
    (options.exclude_last_activity_patterns, [3], "got the int 3"),
    (options.seconds, -0.5, "must be a number of seconds, 0 or more, got the float -0.5"),
    (options.seconds, float("nan"), "got the float nan"),
    (options.seconds, "5", "got the str '5'"),
    (options.seconds, True, "got True"),
    (options.seconds, None, "got None"),
    (options.optional_idle_seconds, -1, "must be a number of seconds, 0 or more, got the int -1"),
    (options.optional_idle_seconds, False, "got False"),
    (options.optional_seconds, 0, "must be a number of seconds above 0, got the int 0"),
    (options.restart_policy, "sometimes", "one of 'on-request', 'always', 'on-failure', 'never', got the str 'someti"),
    (options.restart_policy, "Always", "got the str 'Always'"),
    (options.restart_policy, None, "got None"),
    (options.restart_policy, True, "got True"),
    (options.restart_policy, ["always"], "got a value of type list"),
    (options.stop_signal, "SIGNONE", "must be a signal such as 'SIGTERM' or 'SIGINT', got the str 'SIGNONE'"),
    (options.stop_signal, "", "got the str ''"),
    (options.stop_signal, 0, "got the int 0"),
    (options.stop_signal, 1000, "got the int 1000"),
    (options.stop_signal, -9, "got the int -9"),
    (options.stop_signal, True, "got True"),
    (options.stop_signal, None, "got None"),
    (options.stop_signal, 15.0, "got the float 15.0"),
    (options.directory, 3, "must be the path of a directory, got the int 3"),
    (options.directory, b"/x", "got a value of type bytes"),
    (options.directory, "/a\0", "contains NUL"),
    (options.readiness, 3, "must be a path, a dictionary or a callable, got the int 3"),
    (options.readiness, "health", "must have a path that begins with '/' and has no spaces, got the str 'health'"),
    (options.readiness, "", "got the str ''"),
    (options.readiness, "/a b", "got the str '/a b'"),
    (options.readiness, "/a\r\nX: y", "has no spaces"),
    (options.readiness, {"path": None}, "got None"),
    (options.readiness, {"paths": "/"}, "may hold path, statuses, but not 'paths'"),
    (options.readiness, {"statuses": [99]}, "must have statuses such as 200 or '2xx', got the int 99"),
    (options.readiness, {"statuses": [600]}, "got the int 600"),
    (options.readiness, {"statuses": ["6xx"]}, "got the str '6xx'"),
    (options.readiness, {"statuses": ["200"]}, "got the str '200'"),
    (options.readiness, {"statuses": [True]}, "got True"),
    (options.readiness, {"statuses": 2.5}, "must have statuses"),
    (options.log_file, 3, "must be the path of a file, got the int 3"),
    (options.log_file, {"path": 3}, "must be the path of a file, got the int 3"),
    (options.log_file, "/a\0", "contains NUL"),
    (options.log_file, {"path": "/a", "size": 1}, "may hold path, max_bytes, count, but not 'size'"),
    (options.log_file, {"path": "/a", "max_bytes": 0}, "a whole number above 0 as max_bytes, got the int 0"),
    (options.log_file, {"path": "/a", "max_bytes": 1.5}, "as max_bytes, got the float 1.5"),
    (options.log_file, {"path": "/a", "count": 0}, "a whole number above 0 as count, got the int 0"),
    (options.log_file, {"path": "/a", "count": True}, "as count, got True"),
    (options.log_file, {"path": "/a", "count": None}, "as count, got None"),
    (options.text, 3, "must be a string, got the int 3"),
    (options.icon_path, 3, "must be the path of a file, got the int 3"),
    (options.icon_path, "/a\0", "contains NUL"),
    (options.icon_path, b"x", "got a value of type bytes"),
]


@pytest.mark.parametrize(("check", "value", "normal"), ACCEPTED)
def test_accepted_values_have_one_normal_form(check: Any, value: Any, normal: Any) -> None:
    result = check(value)
    assert result == normal
    assert type(result) is type(normal)
    assert check(result) == normal


@pytest.mark.parametrize(("check", "value", "message"), REFUSED)
def test_other_values_are_refused_with_a_clear_message_and_no_secret_c5(check: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check(value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("check", [options.environment, options.mappath, options.request_headers_override])
def test_dictionaries_are_copied(check: Any) -> None:
    given = {"A": "x"}
    result = check(given)
    result["B"] = "y"
    assert given == {"A": "x"}


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(ValueError, match=r"got the str 'x+\.\.\.$"):
        options.port("x" * 1000)
