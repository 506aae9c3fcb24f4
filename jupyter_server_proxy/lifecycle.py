"""Options that say how a server is started, kept running, and stopped: one part of ``ServerProcess``."""

from __future__ import annotations

from typing import Any

from traitlets.config import Configurable

from .option import Option
from .rules import options
from .rules.spec import LifecycleSpec


class Lifecycle(Configurable):
    """Options that ``ServerProcess`` inherits."""

    # ---- starting

    autostart = Option(
        options.boolean,
        False,
        "Whether the server is started together with Jupyter, and not only by the first request. Default: False.",
    )
    cwd = Option(
        options.directory,
        "",
        """
        The directory in which the command runs; a leading "~" is the home directory. Default: that of Jupyter.
        """,
    )
    readiness = Option(
        options.readiness,
        None,
        """
        When the started server counts as ready. A path: when it answers a request for it. A dictionary can hold path
        ("/") and statuses, those answers that count: a list of numbers such as 200 and of classes such as "2xx"; a
        redirection is an answer and is not followed. A callable: when it returns something true; it is asked again and
        again, is given those of the arguments that a callable command may declare, and may be asynchronous (others run
        in a thread, so that they may wait). In the path {base_url}, {prefix} and the like are filled in; with
        absolute_url it has to hold the prefix. Default: any answer to "/", or an accepted connection with
        raw_socket_proxy.
        """,
    )
    find_port = Option(
        options.boolean,
        False,
        """
        Whether the server is also found when it listens on another port than it was told: one of its own processes has
        to listen on exactly one port of this machine. For servers that cannot be given a port. Default: False; the page
        that reports the failure then names the port.
        """,
    )

    # ---- keeping it running

    restart_policy = Option(
        options.restart_policy,
        "on-request",
        """
        What happens after the server's process has ended by itself, or could not be started. "on-request": the next
        request starts it. "always": it is started at once. "on-failure": it is started at once if it failed, else by
        the next request. "never": somebody has to start it, in JupyterLab or by jupyter server-proxy start.
        Default: "on-request".
        """,
    )
    restart_delay = Option(
        options.seconds,
        1.0,
        """
        Seconds until a server that failed is started again. They double with each further failure. The first failure of
        a server that was ready is forgiven, and so are all failures once it was ready for 10 seconds. Default: 1.
        """,
    )
    restart_delay_max = Option(
        options.seconds, 60.0, "Seconds that the pause between two starts never exceeds. Default: 60."
    )

    # ---- stopping

    stop_signal = Option(
        options.stop_signal,
        "SIGTERM",
        """
        The signal that asks the server to end, as a name or a number; it is sent to all processes of its group.
        Default: "SIGTERM".
        """,
    )
    stop_timeout = Option(
        options.seconds, 5.0, "Seconds between that signal and SIGKILL, which nothing survives. Default: 5."
    )
    idle_timeout = Option(
        options.optional_idle_seconds,
        None,
        """
        Seconds without use after which the server is stopped; the next request starts it again. Requests count as use,
        and the bytes of long responses, and messages of websockets in either direction; pings, and websockets that are
        only open, do not; nor do requests that exclude_last_activity_patterns or a callable update_last_activity leave
        out. 0 for never. Default: None, which is ServerProxy.idle_timeout.
        """,
    )

    # ---- its output

    log_file = Option(
        options.log_file,
        None,
        """
        A file to which the server's output is appended, besides Jupyter's log. A path, in which a leading "~" is the
        home directory; or a dictionary of path, max_bytes (10485760), beyond which the file is renamed and begun anew,
        and count (3), the renamed files that are kept. Only this user may read it. Default: none.
        """,
    )

    def lifecycle(self) -> LifecycleSpec:
        """What is configured now, as frozen data."""
        names = self.class_trait_names()
        given: dict[str, Any] = {name: getattr(self, name) for name in names if name in LifecycleSpec._fields}
        # A default is not checked, and so not in its normal form.
        checks = {name: trait.check for name, trait in self.class_traits().items() if isinstance(trait, Option)}
        return LifecycleSpec(**{name: checks[name](value) for name, value in given.items()})
