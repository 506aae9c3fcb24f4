"""When is a server that was just started ready? Probes, quick at first."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import ProxyError, StartFailed
from ..rules.spec import AskingCallable, ReadinessSpec, ServerSpec
from ..rules.template import call_with_asked_args, render
from ..upstream.address import Address, TcpAddress
from ..upstream.dial import dial
from .endpoint import Endpoint, is_answered, is_free
from .ownership import listeners, tree_holds_socket, tree_ports
from .process import Process

#: One GET of a target at an address, with a timeout in seconds: the status of the response, or None without any.
HttpProbe = Callable[[Address, float, str], Awaitable["int | None"]]

#: Seconds between probes: at first short enough for a server that is up in no time, then a share of the time that has
#: passed, so that waiting never makes a start longer by much more than that share.
FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.1
SHARE = 0.03

#: Seconds that a probe gets at least.
_SHORTEST = 0.001


def pause_after(elapsed: float) -> float:
    """Seconds to wait between one probe and the next, ``elapsed`` seconds after the start."""
    return min(LONGEST_PAUSE, max(FIRST_PAUSE, elapsed * SHARE))


async def accepts_connections(address: Address, timeout: float) -> bool:
    """The probe for servers that do not speak HTTP: a connection is accepted."""
    try:
        protocol = await dial(address, _Silent, timeout)
    except ProxyError:
        return False
    assert protocol.transport is not None
    protocol.transport.close()
    return True


class _Silent(asyncio.Protocol):
    transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


class Readiness:
    """Looks for one server at its endpoint, and makes sure that it is ours before anything is sent to it.

    Args:
        spec: of the server.
        endpoint: where it is to listen.
        http_probe: asks it.
        arguments: gives the template arguments.
        on_open: called when somebody listens there.

    Attributes:
        taken: somebody of this user listened at its endpoint before it was started.
        not_ready: what the last probe found that is not enough; "" if nothing.
    """

    def __init__(
        self,
        spec: ServerSpec,
        endpoint: Endpoint,
        http_probe: HttpProbe,
        arguments: Callable[[], Mapping[str, Any]],
        on_open: Callable[[], None],
    ) -> None:
        self._name = spec.name
        self._spec = spec.lifecycle.readiness
        self._raw = spec.raw_socket_proxy
        self._endpoint = endpoint
        self._http_probe = http_probe
        self._arguments = arguments
        self._on_open = on_open
        self.taken = False
        self.not_ready = ""
        self._is_ours = False
        self._answering: asyncio.Future[Any] | None = None
        self._stale: asyncio.Future[Any] | None = None

    def look_before_start(self) -> None:
        """Notice, before the server is started, who listens there already.

        Raises:
            StartFailed: another user does.
        """
        self._is_ours = False
        self.not_ready = ""
        self._stale = self._answering
        if self._endpoint.is_unix:
            self.taken = is_answered(self._endpoint.path)
        else:
            # That a port is free is quickly found out; who has it, is not.
            self.taken = not is_free(self._endpoint.port) and bool(self._owners(None))

    def still_ours(self) -> bool:
        """Whether somebody of this user listens there; asked where no process of ours runs: the server daemonized."""
        if self._endpoint.is_unix:
            return is_answered(self._endpoint.path)
        try:
            return self._owners(None) != set()
        except StartFailed:
            return False

    async def find(self, process: Process, timeout: float) -> Address | None:
        """One round of probes.

        Args:
            process: what was started.
            timeout: seconds for all of them.

        Returns:
            Where the server answered, or None.

        Raises:
            StartFailed: somebody else's server listens on the port.
        """
        if self.taken and process.running and not self._belongs_to(process):
            return None  # it is still the one who was there before
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        for address in self._endpoint.candidates:
            if isinstance(address, TcpAddress):
                # Trying to connect costs nothing where nobody listens, while the system's table of sockets may be long.
                left = max(_SHORTEST, deadline - loop.time())
                if not await accepts_connections(replace(address, tls=None), left):
                    continue
                if not self._is_ours:
                    self._owners(process, ipv6=":" in address.hosts[0])
                    self._is_ours = True
                    self._on_open()
            if await self._is_ready(address, max(_SHORTEST, deadline - loop.time())):
                return address
        return None

    async def _is_ready(self, address: Address, timeout: float) -> bool:
        function = self._spec.function
        if function is not None:
            return await self._ask(function, timeout)
        if self._raw and self._spec == ReadinessSpec():
            return isinstance(address, TcpAddress) or await accepts_connections(address, timeout)
        target = str(render(self._spec.path, self._arguments()))
        status = await self._http_probe(address, timeout, target)
        if status is None:
            return False
        if not self._spec.statuses or any(status in accepted for accepted in self._spec.statuses):
            return True
        self.not_ready = f"its answer to {target} has status {status}"
        return False

    async def _ask(self, function: AskingCallable, timeout: float) -> bool:
        """Ask the callable of the configuration; one that raises is wrong, or not ready, and is asked again."""
        arguments = self._arguments()
        self.not_ready = "its option readiness has not answered in time"  # unless it does; time may be up at any moment
        try:
            if inspect.iscoroutinefunction(function):
                answer = call_with_asked_args(function, arguments)
            else:
                answer = await asyncio.wait_for(self._ask_in_thread(function, arguments), timeout)
                if self._answering is self._stale:
                    return False  # it was asked about the process before this one
            ready = bool(await asyncio.wait_for(answer, timeout) if inspect.isawaitable(answer) else answer)
        except (TimeoutError, asyncio.TimeoutError):
            return False
        except Exception as error:
            self.not_ready = f"its option readiness raised {type(error).__name__}: {error}"
            return False
        self.not_ready = "" if ready else "its option readiness says that it is not"
        return ready

    def _ask_in_thread(self, function: AskingCallable, arguments: Mapping[str, Any]) -> asyncio.Future[Any]:
        """Call a function that may block, for ever even, in a thread that nobody waits for.

        There is one thread for each server at the most: while an earlier call has not returned, its answer is the one
        that is waited for.
        """
        if self._answering is None or self._answering.done():
            self._answering = _call_in_thread(function, arguments)
        return asyncio.shield(self._answering)

    def _belongs_to(self, process: Process) -> bool:
        pid, endpoint = process.pid, self._endpoint
        if endpoint.is_unix:
            return tree_holds_socket(pid, pid, endpoint.path)
        return endpoint.listening_port in tree_ports(pid, pid)

    def _owners(self, process: Process | None, *, ipv6: bool | None = None) -> set[int] | None:
        """Users whose sockets listen on the port; None where the system does not tell."""
        port = self._endpoint.listening_port
        found = listeners(port, ipv6=ipv6)
        if found is None:
            return None
        owners = {listener.uid for listener in found}
        if owners - {os.geteuid()} and not (process and port in tree_ports(process.pid, process.pid)):
            raise StartFailed(
                f"Server '{self._name}' cannot listen on port {port}: another user's process does already."
            )
        return owners


def _call_in_thread(function: AskingCallable, arguments: Mapping[str, Any]) -> asyncio.Future[Any]:
    """Like ``asyncio.to_thread``; but neither does Python wait for the thread when it ends, nor does the call take a
    place among the threads that others need.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may come too late for anybody

    def settle(result: Any, error: Exception | None) -> None:
        if not answer.done():
            answer.set_result(result) if error is None else answer.set_exception(error)

    def call() -> None:
        result, failure = None, None
        try:
            result = call_with_asked_args(function, arguments)
        except Exception as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            pass  # the loop has been closed

    threading.Thread(target=call, name="readiness", daemon=True).start()
    return answer
