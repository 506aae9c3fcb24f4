"""Which traffic counts as activity, and so keeps Jupyter from being culled as idle."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any


def counts_as_activity(
    policy: bool | Callable[[Any], Any], patterns: Sequence[re.Pattern[str]], path: str, request: Any
) -> bool:
    """Whether one request counts.

    Args:
        policy: ``update_last_activity``: all requests, none, or a callable that decides and gets the request.
        patterns: ``exclude_last_activity_patterns``; with policy True, a request whose path matches one of these from
            its start does not count. Other policies ignore them.
        path: the full path of the request, base URL and prefix included, without the query.
        request: the incoming request, handed to a callable.

    Raises:
        Exception: whatever the callable raises. Callers catch and log it, and count the request: activity is a
            by-product that must never break a request, and culling too late does less harm than culling too early.
    """
    if callable(policy):
        return bool(policy(request))
    return bool(policy) and not any(pattern.match(path) for pattern in patterns)
