"""A journey that tornado drives, while the request arrives, or a handler that has all of it.

A request that may not pass leaves the journey at once, for an ordinary handler of Jupyter.
"""

from __future__ import annotations

import asyncio

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from ..errors import RequestRefused
from ..rules.framing import check_request
from .door import Pass, Refusal
from .journey import Journey


class Gateway(Journey, HTTPMessageDelegate):
    """See ``Journey``; what tornado calls is called in the order of the methods."""

    _refusal: HTTPMessageDelegate | None = None

    # ---- driven by tornado

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        """The head is here. The body is read when this returns: once it can be passed on, or dropped."""
        try:
            check_request(headers.get_all(), self._request.version)
        except RequestRefused as error:
            self._runtime.log.info("Refused a request from %s: %s", self._request.remote_ip, error.message)
            await self._client.break_off(error)
            return
        verdict = await self.authorize()
        if isinstance(verdict, Refusal):
            refuse = self._runtime.door.refuse
            self._refusal = refuse(self._runtime, self._request, verdict, has_body=self._has_body)
            waiting = self._refusal.headers_received(start_line, headers)
            if waiting is not None:
                await waiting
            return
        reader = self._runtime.reader
        if (
            reader is not None
            and self._upgrade is None
            and reader.take_over(self, self._request, self._client, verdict)
        ):
            return
        if not self._has_body and self._upgrade is None and self._expects is None:
            await self.travel_here(verdict)
            return
        self._client.watch_upload(self.on_connection_close)
        self._set_out(verdict)
        if self._has_body:
            self._client.expects_continue = (self._expects or "").lower() == "100-continue"
            await self._client.body_wanted.wait()

    async def data_received(self, chunk: bytes) -> None:
        """A piece of the body; the next is read when this returns."""
        if self._refusal is not None:
            waiting = self._refusal.data_received(chunk)
            if waiting is not None:
                await waiting
        elif self._upload is not None:
            await self._upload.send(chunk)

    def finish(self) -> None:
        """The request is complete."""
        if self._refusal is not None:
            self._refusal.finish()
            return
        if self._upload is not None:
            self._upload.end()
        self._client.take_end_of_request()

    def on_connection_close(self) -> None:
        """The client has gone, before or after its request was complete."""
        if self._refusal is not None:
            self._refusal.on_connection_close()
        else:
            super().on_connection_close()

    # ---- driven by a handler

    @property
    def status(self) -> int:
        """Of the response, as the log tells it."""
        return int(self._client.status)

    async def serve(self, verdict: Pass, body: bytes) -> None:
        """The same journey for a request that is complete, and that somebody else has let in.

        Args:
            verdict: who.
            body: of the request, whole.
        """
        self._client.take_end_of_request()
        self._set_out(verdict)
        assert self._journey is not None
        if self._has_body:
            await self._client.body_wanted.wait()
            if self._upload is not None:
                if body:
                    await self._upload.send(body)
                self._upload.end()
        await asyncio.wait({self._journey})
        if self._upgraded is not None:
            await self._upgraded.wait()

    # ---- private

    def _set_out(self, verdict: Pass) -> None:
        """Travel in a task of its own, while the body is read."""
        name = f"{self._request.method} for {self._route.destination.name}"
        self._journey = asyncio.get_running_loop().create_task(self._travel(verdict), name=name)
        self._runtime.own(self._journey)
