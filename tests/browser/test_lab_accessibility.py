"""The views of JupyterLab for everybody: what axe finds in them in both themes, and all buttons by the keyboard."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import OpenContext
from harness import Jupyter, wait_until
from labs import command, frame, open_lab, open_log, run, start_lab, state, tile, wear
from playwright.sync_api import Locator, Page, expect

COLOURS = str(Path(__file__).parent / "apps" / "colours.py")


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    servers: dict[str, Any] = {
        "app": {"command": command(), "new_browser_tab": False, "launcher_entry": {"title": "App"}},
        "colours": {
            "command": [sys.executable, COLOURS, "--port={port}"],
            "new_browser_tab": False,
            "launcher_entry": {"title": "Colours"},
        },
    }
    server = start_lab(tmp_path_factory.mktemp("jupyter") / "server", servers)
    yield server
    server.stop()


@pytest.fixture
def lab(jupyter: Jupyter, open_context: OpenContext) -> Page:
    """A window of JupyterLab with its launcher."""
    return open_lab(jupyter, open_context)


#: Texts in elements that contrast with what is behind them by less than 4.5 to 1 (WCAG 1.4.3). In JupyterLab's layout
#: axe cannot tell what is behind.
FAINT = """selectors => {
    const luminance = ([red, green, blue]) => {
        const linear = one => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    };
    const parse = colour => {
        const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
        return [[red, green, blue], alpha];
    };
    const mix = (over, under, alpha) => over.map((one, index) => one * alpha + under[index] * (1 - alpha));
    const behind = node => {
        const [colour, alpha] = node ? parse(getComputedStyle(node).backgroundColor) : [[255, 255, 255], 1];
        return alpha === 1 ? colour : mix(colour, behind(node.parentElement), alpha);
    };
    const found = {};
    for (const walker of selectors.flatMap(one => [...document.querySelectorAll(one)])) {
        for (const node of [walker, ...walker.querySelectorAll('*')]) {
            const hasText = [...node.childNodes].some(one => one.nodeType === Node.TEXT_NODE && one.data.trim());
            if (!hasText || !node.checkVisibility() || node.closest('[disabled]')) continue;
            const style = getComputedStyle(node);
            const under = behind(node);
            const [colour, alpha] = parse(style.color);
            const over = mix(colour, under, alpha * style.opacity);
            const values = [over, under].map(one => luminance(one) + 0.05);
            const contrast = Math.max(...values) / Math.min(...values);
            if (contrast < 4.5) found[node.className] = [contrast.toFixed(2), style.color, `on ${under}`];
        }
    }
    return found;
}"""


def violations(lab: Page, *ours: str) -> list[str]:
    """What is seriously wrong with elements of ours: what axe finds, and what can hardly be read.

    Args:
        ours: selectors; each finds something.
    """
    for one in ours:
        expect(lab.locator(one).first).to_be_visible()
    response = Axe().run(lab, context={"include": [[one] for one in ours]}).response
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    serious = [f"{one['id']}: {node['html']}: {node['failureSummary']}" for one in found for node in one["nodes"]]
    return serious + [f"{name}: {values}" for name, values in lab.evaluate(FAINT, list(ours)).items()]


def open_ports(lab: Page) -> Locator:
    run(lab, "server-proxy:show-ports")
    panel = lab.locator(".jp-ServerProxy-ports")
    expect(panel.locator(".jp-ServerProxy-ports-row").first).to_be_visible()
    return panel


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_tab(lab: Page, theme: str) -> None:
    wear(lab, theme)
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    assert violations(lab, ".jp-ServerProxy-tab .jp-Toolbar", ".jp-ServerProxy-frame") == []
    lab.locator(".jp-ServerProxy-tab .jp-Toolbar").get_by_title("Stop the server").click()
    assert violations(lab, ".jp-ServerProxy-cover") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_log(lab: Page, theme: str) -> None:
    wear(lab, theme)
    log = open_log(lab, "Colours")
    expect(log.locator(".jp-ServerProxy-log-lines")).to_contain_text("preparing")
    view = ".jp-MainAreaWidget:has(.jp-ServerProxy-log)"
    assert violations(lab, f"{view} .jp-Toolbar", ".jp-ServerProxy-log") == []
    log.get_by_role("searchbox").fill("colour")
    log.get_by_role("searchbox").press("Enter")
    assert violations(lab, ".jp-ServerProxy-log") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_sidebar(jupyter: Jupyter, lab: Page, theme: str) -> None:
    assert jupyter.get("app/").status == 200
    wear(lab, theme)
    panel = open_ports(lab)
    assert violations(lab, ".jp-ServerProxy-ports") == []
    panel.locator(".jp-ServerProxy-ports-more").click()  # hidden ones look different
    assert violations(lab, ".jp-ServerProxy-ports") == []
    lab.locator(".lm-TabBar-tab[data-id='jp-running-sessions']").click()
    assert violations(lab, ".jp-ServerProxy-running") == []


# ---- the keyboard


NAME = "one => one.getAttribute('aria-label') || one.textContent.trim() || one.title"


def names(buttons: Locator) -> list[str]:
    """Of those that can be seen."""
    return [str(one.evaluate(NAME)) for one in buttons.all() if one.is_visible()]


def walk(lab: Page, start: Locator, steps: int) -> list[str]:
    """The names of what is reached by Tab from an element on; in JupyterLab's toolbars arrows go on, as ARIA has it."""
    start.focus()
    reached: list[str] = []
    for _ in range(steps):
        lab.keyboard.press("Tab")
        reached.append(str(lab.evaluate(f"({NAME})(document.activeElement)")))
        while lab.evaluate("!!document.activeElement.closest('jp-toolbar')"):
            lab.keyboard.press("ArrowRight")
            name = str(lab.evaluate(f"({NAME})(document.activeElement)"))
            if name in reached:
                break
            reached.append(name)
    return reached


def current_tab(lab: Page, title: str) -> Locator:
    return lab.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.lm-mod-current").filter(has_text=title)


def test_the_buttons_of_a_tab_are_reached_by_the_keyboard(lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    wanted = names(lab.locator(".jp-ServerProxy-tab .jp-Toolbar > * > jp-button"))
    assert wanted[:3] == ["Reload", "Open in a new browser tab", "Copy link"]
    assert wanted[3:] == ["Restart", "Stop the server", "Show the log of the server"]
    assert walk(lab, current_tab(lab, "The application"), 2) == [*wanted, "App"]  # the last one is the frame


def test_the_buttons_of_a_log_are_reached_by_the_keyboard(lab: Page) -> None:
    log = open_log(lab, "App")
    wanted = names(log.locator(".jp-Toolbar > * > jp-button"))
    assert wanted == ["Restart", "Stop the server", "Download the output", "Clear what is shown"]
    reached = walk(lab, current_tab(lab, "Log of App"), 4)
    assert reached == [*wanted, "Find in the output", "Follow", "Output of app"]
    # Where one cannot be used, the others can.
    log.get_by_title("Stop the server").click()
    expect(log.get_by_title("Stop the server")).to_have_attribute("aria-disabled", "true")
    reached = walk(lab, current_tab(lab, "Log of App"), 1)
    assert reached == ["Start", "Download the output", "Clear what is shown"]


def test_the_buttons_of_the_ports_are_reached_by_the_keyboard(jupyter: Jupyter, lab: Page) -> None:
    assert jupyter.get("app/").status == 200
    panel = open_ports(lab)
    row = panel.locator(".jp-ServerProxy-ports-row").filter(has_text="App")
    port = row.locator(".jp-ServerProxy-ports-number").inner_text()
    panel.get_by_role("searchbox").fill(port)
    expect(panel.locator(".jp-ServerProxy-ports-row")).to_have_count(1)
    assert walk(lab, panel.get_by_role("searchbox"), 8) == [
        "Announce new ports",
        f"Port {port}, python, App",
        "Open App",
        f"Open port {port} in a new browser tab",
        f"Open port {port} in a JupyterLab tab",
        f"Copy the link to port {port}",
        f"Hide port {port}",
        panel.locator(".jp-ServerProxy-ports-more").inner_text(),
    ]


def press(lab: Page, button: Locator) -> None:
    button.focus()
    lab.keyboard.press("Enter")


def test_enter_works_as_a_click_in_tabs(jupyter: Jupyter, lab: Page) -> None:
    log = open_log(lab, "App")

    press(lab, log.get_by_role("button", name="Follow"))
    expect(log.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    with lab.expect_download():
        press(lab, log.get_by_title("Download the output"))
    press(lab, log.get_by_title("Clear what is shown"))
    expect(log.locator(".jp-ServerProxy-log-line")).to_have_count(0)
    pid = state(jupyter, "app")["pid"]
    press(lab, log.get_by_title("Restart the server"))
    wait_until(lambda: state(jupyter, "app")["pid"] not in (pid, None), "another process")

    toolbar = lab.locator(".jp-ServerProxy-tab .jp-Toolbar")
    with lab.context.expect_page() as opening:
        press(lab, toolbar.get_by_title("Open in a new browser tab"))
    opening.value.close()
    with lab.expect_request(re.compile("/base/app/$")):
        press(lab, toolbar.get_by_title("Reload"))
    press(lab, toolbar.get_by_title("Stop the server"))
    cover = lab.locator(".jp-ServerProxy-cover")
    press(lab, cover.get_by_role("button", name="Start"))
    expect(cover).to_have_count(0)


def test_enter_works_as_a_click_in_the_ports(lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    panel = open_ports(lab)
    lab.wait_for_event("response", lambda one: "/api/ports" in one.url)  # since the server was started
    press(lab, panel.get_by_role("button", name="Announce new ports"))
    bell = panel.get_by_role("button", name="Announce new ports")
    expect(bell).to_have_attribute("aria-pressed", "false")
    press(lab, bell)
    expect(bell).to_have_attribute("aria-pressed", "true")
    row = panel.locator(".jp-ServerProxy-ports-row").filter(has_text="App")
    with lab.context.expect_page() as opening:
        press(lab, row.get_by_role("button", name="browser tab"))
    expect(opening.value).to_have_title("The application")
    opening.value.close()
    with lab.context.expect_page() as opening:
        press(lab, row)
    expect(opening.value).to_have_title("The application")
