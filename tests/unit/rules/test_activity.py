"""Which traffic counts as activity."""

from __future__ import annotations

import re
from typing import Any

import pytest

from jupyter_server_proxy.rules.activity import counts_as_activity

POLLING = [re.compile("/user/me/app/poll"), re.compile(".*/health$")]


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/user/me/app/", True),
        ("/user/me/app/poll", False),
        ("/user/me/app/poll/more", False),
        ("/other/user/me/app/poll", True),
        ("/user/me/app/health", False),
        ("/user/me/app/healthy", True),
    ],
)
def test_patterns_match_from_the_start_of_the_full_path(path: str, counts: bool) -> None:
    assert counts_as_activity(True, POLLING, path, None) is counts


def test_false_counts_nothing() -> None:
    assert counts_as_activity(False, [], "/x", None) is False


@pytest.mark.parametrize(("answer", "counts"), [(True, True), (False, False), (None, False), ("x", True)])
def test_a_callable_gets_the_request_and_decides_alone(answer: Any, counts: bool) -> None:
    seen = []

    def policy(request: Any) -> Any:
        seen.append(request)
        return answer

    assert counts_as_activity(policy, POLLING, "/user/me/app/poll", "the request") is counts
    assert seen == ["the request"]


def test_what_a_callable_raises_reaches_the_caller() -> None:
    def policy(request: Any) -> bool:
        raise KeyError("x")

    with pytest.raises(KeyError):
        counts_as_activity(policy, [], "/x", None)
