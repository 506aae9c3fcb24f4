"""What administrators set of ``ServerProxy``: credentials, reachable addresses, trusted proxies, and limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import traitlets
from traitlets import TraitError
from traitlets.config import Configurable

from .option import default_log
from .rules import options
from .rules.credentials import SECRET_VARIABLES
from .rules.policy import parse_hosts, parse_ports

#: Raises the time that every server gets to start, where nobody can edit the configuration.
START_TIMEOUT_VARIABLE = "JUPYTER_SERVER_PROXY_START_TIMEOUT"


def _help(text: str) -> str:
    return dedent(text).strip()


class Protection(Configurable):
    """Traits that ``ServerProxy`` inherits; set them as ``c.ServerProxy.<name>``."""

    # ---- credentials

    forward_credentials = traitlets.Bool(
        False,
        help=_help(
            """
            Whether applications get the credentials that log people in to Jupyter: the login cookie, the _xsrf cookie
            and the cookies of JupyterHub, and the token in the query or in the Authorization field of the request that
            it logged in. Whoever holds them can do all that the user can. Applications' own cookies and tokens pass in
            any case. The option of the same name of a server overrides this. Default: False.
            """
        ),
    ).tag(config=True)

    refuse_cross_site = traitlets.Bool(
        False,
        help=_help(
            """
            Whether requests that may change something (POST, PUT, DELETE and so on), that a page of another origin has
            caused, and that are authenticated by a cookie, are refused with status 403. Applications usually defend
            themselves. The option of the same name of a server overrides this. Default: False.
            """
        ),
    ).tag(config=True)

    withheld_environment = traitlets.List(
        traitlets.Unicode(),
        sorted(SECRET_VARIABLES),
        help=_help(
            """
            Environment variables of Jupyter that the servers it starts do not inherit, because they hold secrets. A
            server that needs one gets it by its option environment. Default: the tokens and keys of Jupyter and
            JupyterHub.
            """
        ),
    ).tag(config=True)

    # ---- addresses that URLs name

    host_allowlist = traitlets.Union(
        [traitlets.List(traitlets.Unicode()), traitlets.Callable()],
        help=_help(
            """
            The hosts that /proxy/<host>:<port>/ may reach: a list of names and IP addresses, of patterns such as
            "*.example.org", and of networks such as "10.20.0.0/16" (which contain addresses, not names). Or a function
            that is given the handler of the request and the host, and returns whether it is allowed. It runs for every
            request, so it should be quick. For example:

                def in_our_domain(handler, host):
                    return host.endswith(".example.org")

                c.ServerProxy.host_allowlist = in_our_domain

            An empty list switches these URLs off. Default: ["localhost", "127.0.0.1"].
            """
        ),
    ).tag(config=True)

    @traitlets.default("host_allowlist")
    def _default_host_allowlist(self) -> list[str]:
        return ["localhost", "127.0.0.1"]

    host_whitelist = traitlets.Union(
        [traitlets.List(traitlets.Unicode()), traitlets.Callable()],
        help="Deprecated since 3.0: the former name of host_allowlist, which it sets.",
    ).tag(config=True)

    @traitlets.observe("host_whitelist")
    def _observe_host_whitelist(self, change: Any) -> None:
        if self.host_allowlist != change.new:
            (getattr(self.parent, "log", None) or default_log()).warning(
                "ServerProxy.host_whitelist is deprecated: it sets ServerProxy.host_allowlist, use that instead"
            )
            self.host_allowlist = change.new

    host_denylist = traitlets.List(
        traitlets.Unicode(),
        help="Hosts that /proxy/<host>:<port>/ must not reach, whatever host_allowlist says. Default: none.",
    ).tag(config=True)

    port_allowlist = traitlets.List(
        traitlets.Union([traitlets.Int(), traitlets.Unicode()]),
        ["1-65535"],
        help=_help(
            """
            The ports that /proxy/<port>/ and /proxy/<host>:<port>/ may reach: numbers, and ranges such as "8000-8999".
            An empty list switches these URLs off; configured servers are reached all the same.
            Default: ["1-65535"].
            """
        ),
    ).tag(config=True)

    port_denylist = traitlets.List(
        traitlets.Union([traitlets.Int(), traitlets.Unicode()]),
        help=_help(
            """
            Ports that /proxy/<port>/ and /proxy/<host>:<port>/ must not reach, whatever port_allowlist says.
            Default: none.
            """
        ),
    ).tag(config=True)

    trusted_proxies = traitlets.List(
        traitlets.Unicode(),
        help=_help(
            """
            Front proxies whose X-Forwarded-... and Forwarded fields are passed on and continued: IP addresses and
            networks, or "unix" for those that connect to Jupyter by a unix socket. What all others say there is
            replaced by what Jupyter sees. Default: none.
            """
        ),
    ).tag(config=True)

    @traitlets.validate("host_allowlist", "host_denylist", "trusted_proxies")
    def _validate_hosts(self, proposal: Any) -> Any:
        return _checked(proposal, parse_hosts)

    @traitlets.validate("port_allowlist", "port_denylist")
    def _validate_ports(self, proposal: Any) -> Any:
        return _checked(proposal, parse_ports)

    # ---- limits

    start_timeout = traitlets.Float(
        min=0.0,
        help=_help(
            """
            Seconds that every server gets at least until it must answer after its start, whatever its own option
            timeout says: for slow machines and file systems. Default: the environment variable
            JUPYTER_SERVER_PROXY_START_TIMEOUT, or 0.
            """
        ),
    ).tag(config=True)

    @traitlets.default("start_timeout")
    def _default_start_timeout(self) -> float:
        value = os.environ.get(START_TIMEOUT_VARIABLE, "")
        try:
            return options.seconds(float(value)) if value else 0.0
        except ValueError:
            raise TraitError(f"{START_TIMEOUT_VARIABLE} must be a number of seconds, got {value!r}") from None

    idle_timeout = traitlets.Float(
        0.0,
        min=0.0,
        help=_help(
            """
            Seconds without use after which a server that we started is stopped; 0 for never. The option of the same
            name of a server overrides this, and says what use is. Default: 0.
            """
        ),
    ).tag(config=True)

    connect_timeout = traitlets.Float(
        10.0, min=0.001, help="Seconds until a server must accept a connection; then the answer is 504. Default: 10."
    ).tag(config=True)

    response_timeout = traitlets.Float(
        300.0,
        min=0.001,
        help=_help(
            """
            Seconds that a server may take until its response, or its answer to a websocket handshake, begins; then the
            answer is 504. The time begins anew with each piece of a request body that it takes. Once a response has
            begun there is no limit. The option of the same name of a server overrides this. Default: 300.
            """
        ),
    ).tag(config=True)

    keepalive_timeout = traitlets.Float(
        4.0,
        min=0.0,
        help=_help(
            """
            Seconds that an unused connection to a server is kept for the next request. It should be less than the
            servers' own limit, which is often 5. Default: 4.
            """
        ),
    ).tag(config=True)

    max_requests_per_server = traitlets.Int(
        1000,
        min=1,
        help=_help(
            """
            Requests that one server is given at the same time; and as many websockets, which are counted apart: they
            stay open while nothing happens. Further ones wait for queue_timeout, and are then answered with 503.
            Default: 1000.
            """
        ),
    ).tag(config=True)

    queue_timeout = traitlets.Float(
        30.0, min=0.0, help="Seconds that a request waits where max_requests_per_server is reached. Default: 30."
    ).tag(config=True)

    max_response_head_size = traitlets.Int(
        256 * 1024,
        min=1024,
        help="Bytes that the header of a server's response may have; beyond, the answer is 502. Default: 262144.",
    ).tag(config=True)

    max_rewrite_size = traitlets.Int(
        128 * 1024 * 1024,
        min=0,
        help=_help(
            """
            Bytes of a response that are held in memory for rewrite_response; a larger one is answered with 502.
            Responses that are not rewritten have no limit. Default: 134217728.
            """
        ),
    ).tag(config=True)


def _checked(proposal: Any, parse: Callable[[Any], Any]) -> Any:
    value = proposal["value"]
    if not callable(value):
        try:
            parse(value)
        except ValueError as error:
            raise TraitError(f"ServerProxy.{proposal['trait'].name} {error}") from None
    return value
