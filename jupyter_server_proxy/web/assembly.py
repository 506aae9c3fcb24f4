"""What the configuration becomes at start-up: the runtime, and the servers that it supervises."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from tornado.web import Application

from ..config import ServerProcess, ServerProxy
from ..rules.place import place_arguments
from ..rules.policy import parse_hosts, parse_ports
from ..rules.spec import ServerSpec
from ..supervise.history import StartTimes
from ..supervise.reaper import Reaper
from ..supervise.server import ManagedServer
from ..supervise.supervisor import Supervisor
from ..upstream.admission import Admission
from ..upstream.dial import open_connection
from ..upstream.pool import Pool
from ..upstream.probe import ask_http
from .destinations import Handling
from .policy import AddressPolicy
from .runtime import Door, Limits, Runtime


def make_runtime(
    config: ServerProxy,
    application: Application,
    base_url: str,
    door: Door,
    log: logging.Logger,
    origin: Callable[[], str] = str,
) -> Runtime:
    """What all requests share.

    Args:
        config: the limits and the policy.
        application: whose requests are served.
        base_url: begins and ends with "/".
        door: decides who may pass.
        log: for everything.
        origin: scheme, host and port by which people reach us; empty when they are not known. Asked at each start.
    """
    connect = partial(open_connection, timeout=config.connect_timeout, max_head=config.max_response_head_size)
    return Runtime(
        application=application,
        base_url=base_url,
        supervisor=Supervisor(Reaper(log), log),
        pool=Pool(connect, idle_timeout=config.keepalive_timeout),
        admission=Admission(config.max_requests_per_server, config.queue_timeout),
        upgrades=Admission(config.max_requests_per_server, config.queue_timeout),
        policy=_make_policy(config),
        door=door,
        log=log,
        origin=origin,
        limits=Limits(rewrite_bytes=config.max_rewrite_size),
    )


def make_server(
    process: ServerProcess, runtime: Runtime, config: ServerProxy, history: StartTimes, prefix: str | None = None
) -> ManagedServer:
    """One configured server, and what supervises it.

    Args:
        process: its configuration.
        runtime: shared by all servers.
        config: what holds for all of them.
        history: how long they took to start before.
        prefix: path at which it is reached, without a slash at its end; by default the base URL and its name.

    Raises:
        ConfigurationError: what is configured does not suffice to reach it.
    """
    return make_server_of_spec(process.spec(), runtime, config, history, prefix)


def make_server_of_spec(
    spec: ServerSpec, runtime: Runtime, config: ServerProxy, history: StartTimes, prefix: str | None = None
) -> ManagedServer:
    """The same for a finished specification."""
    prefix = runtime.base_url + spec.name if prefix is None else prefix
    return ManagedServer(
        spec,
        arguments=lambda: place_arguments(runtime.base_url, prefix, runtime.origin(), os.environ),
        http_probe=ask_http,
        reaper=runtime.supervisor.reaper,
        log=runtime.log,
        history=history,
        on_down=runtime.pool.drop,
        withheld=frozenset(config.withheld_environment),
        start_timeout=config.start_timeout,
        idle_timeout=config.idle_timeout,
    )


def start_times(log: logging.Logger) -> StartTimes:
    """How long this user's servers took to start before."""
    return StartTimes(Path(jupyter_data_dir()) / "jupyter-server-proxy" / "start-times.json", log)


def default_handling(config: ServerProxy) -> Handling:
    """How requests are passed on where a server's own configuration says nothing."""
    return Handling(
        rewrite_response=_as_functions(config.non_service_rewrite_response),
        forward_credentials=config.forward_credentials,
        refuse_cross_site=config.refuse_cross_site,
        response_timeout=config.response_timeout,
    )


def _make_policy(config: ServerProxy) -> AddressPolicy:
    allowed = config.host_allowlist
    return AddressPolicy(
        hosts_allowed=allowed if callable(allowed) else parse_hosts(allowed),
        hosts_denied=parse_hosts(config.host_denylist),
        ports_allowed=parse_ports(config.port_allowlist),
        ports_denied=parse_ports(config.port_denylist),
        trusted_proxies=parse_hosts(config.trusted_proxies),
    )


def _as_functions(value: Any) -> tuple[Any, ...]:
    return (value,) if callable(value) else tuple(value)
