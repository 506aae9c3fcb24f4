"""Idle servers are culled by jupyterhub-idle-culler, and used ones are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import requests
import websockets
from hub import Hub, all_gone, processes_below, wait_until

CONFIG = """
c.Spawner.cmd = [*STANDALONE, "--activity-interval=1", "--exclude-last-activity-patterns=.*/poll", "--", *ECHO]
c.JupyterHub.last_activity_interval = 100000  # the proxy in front, which counts every byte, is not asked
c.JupyterHub.services.append({
    "name": "idle-culler",
    "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=10", "--cull-every=2"],
})
c.JupyterHub.load_roles.append({
    "name": "idle-culler", "services": ["idle-culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
})
"""


def test_idle_servers_are_culled_although_pages_are_open(start_hub: Callable[..., Hub]) -> None:
    hub: Hub = start_hub(CONFIG)
    tokens = {}
    for user in ("ann", "ben"):
        hub.spawn(user)
        tokens[user] = {"Authorization": f"token {hub.token(user)}"}
    family = processes_below(hub.pid("ben"))

    def use_and_poll() -> bool:
        assert requests.get(f"{hub.url}user/ann/x", headers=tokens["ann"], timeout=30).status_code == 200
        requests.get(f"{hub.url}user/ben/poll", headers=tokens["ben"], timeout=30)
        return not hub.user("ben")["servers"]

    async def leave_open() -> None:
        async with websockets.connect(
            f"ws://{hub.host}/user/ben/ws", additional_headers=tokens["ben"], proxy=None, ping_interval=0.5
        ):
            while not await asyncio.to_thread(use_and_poll):
                await asyncio.sleep(0.5)

    asyncio.run(asyncio.wait_for(leave_open(), 90))
    assert hub.user("ann")["servers"]  # it was used all the time
    wait_until(lambda: all_gone(family), "nothing is left", 20)
