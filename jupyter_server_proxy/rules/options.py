"""What each option of the configuration may be: one function per option, from what was written to what is used.

Each function returns the value in its one normal form, which it accepts again, and never changes what it was given.
For anything else it raises ``ValueError`` with the second half of a sentence, such as "must be ..., got the int 3";
config.py puts the server and the option in front. Values that may be secret (words of commands, environments, headers)
are never part of a message: it names their place.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from .fields import is_field_value, is_token
from .presets import PRESETS
from .spec import LogFileSpec, ReadinessSpec, TlsSpec

#: Bytes that a socket's path may have: sun_path of unix(7) has 108, the last of which is NUL; on macOS it has 104.
MAX_SOCKET_PATH = 103 if sys.platform == "darwin" else 107

# RFC 3986, 3.3: what stands in a path as it is. All else would reach us percent-encoded, in more than one spelling.
_NAME = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/]+")
#: What ``sandbox: True`` lets pages do (WHATWG HTML, the sandbox attribute). allow-same-origin is what it is all about.
SANDBOX_FLAGS = "allow-scripts allow-forms allow-popups allow-modals allow-downloads"
_SANDBOX_FLAG = re.compile(r"allow-[a-z-]+")

#: What may bring a server back whose process has ended.
RESTART_POLICIES = ("on-request", "always", "on-failure", "never")
_STATUS_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)

#: How a path begins that is one once it is filled in.
_ROOTED = ("/", "{base_url}", "{prefix}/")

_OWN_PATHS = frozenset({"proxy", "server-proxy"})


def name(value: Any) -> str:
    """The name of a server, which is the first part of its URLs. Empty means that it is not known yet."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, got {_typed(value)}")
    if value and not _NAME.fullmatch(value):
        raise ValueError(
            f"must consist of characters that stand in a URL as they are, got {value!r}; "
            "use letters, digits, '-', '_', '.' and inner '/'"
        )
    parts = value.split("/")
    if value and any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"must not have empty parts, '.' or '..' between its slashes, got {value!r}")
    if parts[0] in _OWN_PATHS:
        raise ValueError(f"must not begin with {parts[0]!r}, which is a URL of this extension; choose another name")
    return value


def command(value: Any) -> list[str] | Callable[..., Any]:
    """The words of a command, or a callable that returns them; empty for a server that is not managed."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    if not value:
        return []
    if isinstance(value, str):
        raise ValueError(f"must be a list of words, got a str; {_suggest_words(value)}")
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list of words or a callable, got {_typed(value)}")
    return [_word(word, number, len(value)) for number, word in enumerate(value, 1)]


def _word(word: Any, number: int, count: int) -> str:
    if word is None:
        raise ValueError(
            f"has None in place of word {number} of {count}; probably a program is not installed "
            "(shutil.which returns None for it): install it, or put its full path there"
        )
    if isinstance(word, os.PathLike):
        word = os.fspath(word)
    if not isinstance(word, str):
        raise ValueError(f"must have strings as words, but word {number} of {count} is of type {type(word).__name__}")
    if "\0" in word:
        raise ValueError(f"must not contain NUL, but word {number} of {count} does")
    return word


def _suggest_words(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    # The program alone: what follows it may be a token. So may "NAME=value" in front of it.
    example = f": [{words[0]!r}, ...]" if len(words) > 1 and "=" not in words[0] else ""
    example = f": [{words[0]!r}]" if len(words) == 1 and "=" not in words[0] else example
    return f"shlex.split(...) makes a list of it{example}"


def environment(value: Any) -> dict[str, str | None] | Callable[..., Any]:
    """Variables for the child, None for those to be dropped; or a callable that returns such a dictionary."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    result: dict[str, str | None] = {}
    for key, item in _mapping(value).items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise ValueError(f"must have names of variables as keys (strings without '='), got {key!r}")
        if isinstance(item, os.PathLike):
            item = os.fspath(item)
        if item is not None and (not isinstance(item, str) or "\0" in item):
            raise ValueError(f"must have strings without NUL, or None, as values, but {key} is {_kind(item)}")
        result[key] = item
    return result


def preset(value: Any) -> str:
    """The name of a preset; empty for none."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or value not in PRESETS:
        import difflib  # slow to load, and needed for mistakes alone

        close = difflib.get_close_matches(str(value), PRESETS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"must be one of {', '.join(sorted(PRESETS))}, got {_typed(value)}{hint}")
    return value


def timeout(value: Any) -> float:
    """Seconds, above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"must be a number of seconds above 0, got {_typed(value)}")
    return float(value)


def boolean(value: Any) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise ValueError(f"must be True or False, got {_typed(value)}")
    return value


def optional_boolean(value: Any) -> bool | None:
    """True, False, or None for what holds for all servers."""
    return None if value is None else boolean(value)


def optional_seconds(value: Any) -> float | None:
    """Seconds, above 0; or None for what holds for all servers."""
    return None if value is None else timeout(value)


def port(value: Any) -> int:
    """A TCP port; 0 for a free one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise ValueError(f"must be an integer from 0 to 65535, got {_typed(value)}")
    return int(value)


def unix_socket(value: Any) -> str | Literal[True] | None:
    """True for a socket in a private directory, a path, or None for TCP."""
    if value is None or value is False or value == "":
        return None
    if value is True:
        return True
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"must be True, False, None or the path of a socket, got {_typed(value)}")
    if "\0" in value:
        raise ValueError("must be the path of a socket in the file system, but it contains NUL")
    if len(os.fsencode(value)) > MAX_SOCKET_PATH:
        raise ValueError(f"must be a path of at most {MAX_SOCKET_PATH} bytes, a limit of the system; got {value!r}")
    return value


def tls(value: Any) -> TlsSpec | None:
    """How to speak HTTPS; None for plain HTTP."""
    if value is None or value is False:
        return None
    if value is True:
        return TlsSpec()
    if isinstance(value, TlsSpec):
        return value
    known = sorted(TlsSpec._fields)
    settings: dict[str, Any] = {}
    for key, item in _known_keys(value, *known).items():
        if key == "verify":
            if not isinstance(item, bool):
                raise ValueError(f"must have True or False as verify, got {_typed(item)}")
            settings[key] = item
        elif item is not None:
            settings[key] = icon_path(item) if key != "server_name" else text(item)
            if key != "server_name" and settings[key] and not os.path.exists(settings[key]):
                raise ValueError(f"names a file as {key} that does not exist: {settings[key]!r}")
    if settings.get("key") and not settings.get("certificate"):
        raise ValueError("has a key, but no certificate that it belongs to")
    return TlsSpec(**settings)


def sandbox(value: Any) -> str:
    """The flags of the CSP directive; empty for no sandbox."""
    if value is None or value is False or value == "":
        return ""
    if value is True:
        return SANDBOX_FLAGS
    if not isinstance(value, str) or not all(_SANDBOX_FLAG.fullmatch(flag) for flag in value.split()):
        raise ValueError(f"must be True, False, or flags such as 'allow-scripts allow-forms', got {_typed(value)}")
    return " ".join(value.split())


def mappath(value: Any) -> dict[str, str] | Callable[..., Any]:
    """Paths by requested paths, or a callable that is given ``path``."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    result = dict(_mapping(value))
    for key, item in result.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ValueError(f"must map strings to strings, got {_typed(item)} for {key!r}")
    return result


def request_headers_override(value: Any) -> dict[str, str] | Callable[..., Any]:
    """Header fields to set on each request, or a callable that returns them."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    result = dict(_mapping(value))
    for key, item in result.items():
        if not isinstance(key, str) or not is_token(key):
            raise ValueError(f"must have names of header fields as keys, got {key!r}")
        if not isinstance(item, str):
            raise ValueError(f"must have strings as values, but {key} is {_kind(item)}")
        if not is_field_value(item):
            raise ValueError(f"has a line break, a NUL, or a character outside latin-1 in the value of {key}")
    return result


def rewrite_response(value: Any) -> tuple[Callable[..., Any], ...]:
    """Functions that rewrite a response, in the order in which they are applied."""
    if value is None:
        return ()
    if callable(value):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a function, or a list or tuple of functions, got {_typed(value)}")
    for number, function in enumerate(value, 1):
        if not callable(function):
            raise ValueError(f"must hold functions, but number {number} of {len(value)} is {_typed(function)}")
    return tuple(value)


def update_last_activity(value: Any) -> bool | Callable[..., Any]:
    """True, False, or a callable that is given the request."""
    if not isinstance(value, bool) and not callable(value):
        raise ValueError(f"must be True, False or a callable, got {_typed(value)}")
    return value  # type: ignore[no-any-return]


def exclude_last_activity_patterns(value: Any) -> list[re.Pattern[str]]:
    """Regular expressions, compiled."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list of regular expressions, got {_typed(value)}")
    return [_pattern(item) for item in value]


def _pattern(value: Any) -> re.Pattern[str]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must hold strings or compiled regular expressions for strings, got {_typed(value)}")
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"must hold valid regular expressions, but {value!r} is none: {error}") from None


def seconds(value: Any) -> float:
    """Seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"must be a number of seconds, 0 or more, got {_typed(value)}")
    return float(value)


def optional_idle_seconds(value: Any) -> float | None:
    """Seconds, 0 for never, or None for what holds for all servers."""
    return None if value is None else seconds(value)


def restart_policy(value: Any) -> str:
    """One of the words."""
    if value not in RESTART_POLICIES or not isinstance(value, str):
        raise ValueError(f"must be one of {', '.join(map(repr, RESTART_POLICIES))}, got {_typed(value)}")
    return value


def stop_signal(value: Any) -> int:
    """The number of a signal, from its name or number."""
    if isinstance(value, str):
        upper = value.upper()
        value = signal.Signals.__members__.get(upper if upper.startswith("SIG") else f"SIG{upper}", value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in signal.valid_signals():
        raise ValueError(f"must be a signal such as 'SIGTERM' or 'SIGINT', got {_typed(value)}")
    return int(value)


def directory(value: Any) -> str:
    """The path of a directory, with "~" filled in; empty for that of Jupyter. Whether it exists shows at the start."""
    return os.path.expanduser(_path(value, "a directory"))


def readiness(value: Any) -> ReadinessSpec:
    """A path to ask for, a dictionary of path and statuses, or a callable; None for any answer to "/"."""
    if value is None:
        return ReadinessSpec()
    if isinstance(value, ReadinessSpec):
        return value
    if callable(value):
        return ReadinessSpec(function=value)
    if not isinstance(value, (str, Mapping)):
        raise ValueError(f"must be a path, a dictionary or a callable, got {_typed(value)}")
    settings = {"path": value} if isinstance(value, str) else _known_keys(value, "path", "statuses")
    path = settings.get("path", "/")
    if not isinstance(path, str) or not path.startswith(_ROOTED) or re.search(r"[\s\0]", path):
        raise ValueError(f"must have a path that begins with '/' and has no spaces, got {_typed(path)}")
    statuses = settings.get("statuses") or ()
    if isinstance(statuses, str) or not isinstance(statuses, Iterable):
        statuses = (statuses,)
    return ReadinessSpec(path, tuple(_statuses(item) for item in statuses))


def _statuses(value: Any) -> range:
    if isinstance(value, str) and (found := _STATUS_CLASS.fullmatch(value)):
        first = int(found[1]) * 100
        return range(first, first + 100)
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        raise ValueError(f"must have statuses such as 200 or '2xx', got {_typed(value)}")
    return range(value, value + 1)


def log_file(value: Any) -> LogFileSpec:
    """The path of a file, or a dictionary of path, max_bytes and count; empty for none."""
    if isinstance(value, LogFileSpec):
        return value
    if isinstance(value, Mapping):
        settings = dict(_known_keys(value, "path", "max_bytes", "count"))
    else:
        settings = {"path": value}
    settings["path"] = os.path.expanduser(icon_path(settings.get("path")))
    for key in ("max_bytes", "count"):
        number = settings.get(key, 1)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"must have a whole number above 0 as {key}, got {_typed(number)}")
    return LogFileSpec(**settings)


def _known_keys(value: Any, *names: str) -> Mapping[Any, Any]:
    mapping = _mapping(value)
    for key in mapping:
        if key not in names:
            raise ValueError(f"may hold {', '.join(names)}, but not {key!r}")
    return mapping


def text(value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, got {_typed(value)}")
    return value


def icon_path(value: Any) -> str:
    """The path of a file, or empty for no icon. Whether it exists is not decided here."""
    return _path(value, "a file")


def _path(value: Any, what: str) -> str:
    if value is None:
        return ""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"must be the path of {what}, got {_typed(value)}")
    if "\0" in value:
        raise ValueError(f"must be the path of {what}, but it contains NUL")
    return value


def _mapping(value: Any) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a dictionary or a callable, got a value of type {type(value).__name__}")
    return value


def _typed(value: Any) -> str:
    """``value`` and its type for a message, the value only where it is short and plain."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, (str, int, float)):
        shown = repr(value)
        return f"the {type(value).__name__} {shown if len(shown) <= 60 else shown[:60] + '...'}"
    return f"a value of type {type(value).__name__}"


def _kind(value: Any) -> str:
    return "a str with NUL" if isinstance(value, str) else f"of type {type(value).__name__}"
