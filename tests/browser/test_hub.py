"""Behind a real JupyterHub, in a browser: login, JupyterLab's launcher, and the pages of servers that start or fail."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import OpenContext
from installed import lay_out
from labs import QUIET, SLOW, tile
from playwright.sync_api import Page, expect

sys.path.append(str(Path(__file__).parents[1] / "hub"))

from hub import Hub

CONFIG = """
from pathlib import Path
configs = Path(os.environ["JUPYTER_CONFIG_DIR"]).with_name("singleuser")
(configs / "labconfig").mkdir(parents=True)
(configs / "labconfig" / "default_setting_overrides.json").write_text({quiet!r})
slow = [sys.executable, {slow!r}, "--port={{port}}"]
servers = {{
    "app": {{"command": slow, "timeout": 60, "launcher_entry": {{"title": "App"}}, "new_browser_tab": False}},
    "slow": {{"command": [sys.executable, "-c", "import time, sys, runpy; print('warming up', flush=True); "
             "time.sleep(4); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')", *slow[1:]],
             "timeout": 60}},
    "broken": {{"command": [sys.executable, "-c", "print('no licence'); raise SystemExit(3)"], "timeout": 60}},
}}
(configs / "jupyter_server_config.py").write_text(
    f"c.ServerProxy.servers = {{servers!r}}\\n"
    "c.ServerApp.jpserver_extensions = {{'jupyter_server_proxy': True, 'jupyterlab': True}}\\n"
)
async def choose(spawner):
    if spawner.name == "alone":
        spawner.cmd = [*STANDALONE, "--no-autostart", "--app-name=slow", "--", *servers["slow"]["command"]]
    else:
        spawner.cmd = ["jupyterhub-singleuser", *ROOT]
c.Spawner.pre_spawn_hook = choose
c.Spawner.environment = {{"JUPYTER_CONFIG_DIR": str(configs), **{paths!r}}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    paths = lay_out(tmp_path_factory.mktemp("installed"))
    config = CONFIG.format(quiet=json.dumps(QUIET), slow=SLOW, paths=paths)
    hub = Hub(tmp_path_factory.mktemp("hub") / "hub", config, base_url="/jhub/")
    try:
        hub.wait_ready()
        hub.spawn("ann")
        hub.spawn("ann", "alone")
        yield hub
    finally:
        hub.stop()


@pytest.fixture
def page(hub: Hub, open_context: OpenContext) -> Page:
    page = open_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"{hub.url}hub/login")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill(hub.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/hub/|/user/ann/"))
    return page


def test_the_launcher_of_jupyterlab_opens_an_application(hub: Hub, page: Page) -> None:
    page.goto(f"{hub.url}user/ann/lab?reset")
    expect(tile(page, "App")).to_be_visible(timeout=60_000)
    tile(page, "App").click()
    expect(page.frame_locator(".jp-IFrame iframe").locator("body")).to_contain_text(re.compile(r"\S"), timeout=60_000)
    [server] = [one for one in _servers(hub) if one["name"] == "app"]
    assert server["state"] == "ready"


def _servers(hub: Hub) -> list[dict[str, str]]:
    import requests

    headers = {"Authorization": f"token {hub.token('ann')}"}
    answer = requests.get(f"{hub.url}user/ann/server-proxy/api/servers", headers=headers, timeout=30)
    servers: list[dict[str, str]] = answer.json()["servers"]
    return servers


@pytest.mark.parametrize("path", ["user/ann/slow/", "user/ann/alone/"])
def test_people_see_how_a_start_proceeds_and_enter_by_themselves(hub: Hub, page: Page, path: str) -> None:
    answer = page.goto(f"{hub.url}{path}")
    assert answer is not None
    assert answer.status == 503
    expect(page.locator("#lines")).to_contain_text("warming up")  # by the API: the script has the Hub's token
    expect(page.locator("#lines")).to_have_count(0, timeout=60_000)  # another document: the application's
    assert page.url == f"{hub.url}{path}"


def test_a_failed_start_says_why_and_can_be_tried_again(hub: Hub, page: Page) -> None:
    page.goto(f"{hub.url}user/ann/broken/")
    expect(page.locator("main")).to_contain_text("no licence")
    expect(page.locator("main")).to_contain_text("status 3")
    with page.expect_response(lambda response: "/api/servers/broken/start" in response.url) as posted:
        page.get_by_role("link", name="Try again").click()
    assert posted.value.status == 202
