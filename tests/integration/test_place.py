"""Every server is told where it is reached: in its command, and in its environment."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Jupyter

CONFIG = """
c.ServerProxy.servers = {
    "plain": {"command": ECHO},
    "told": {"command": [*ECHO, "--prefix={prefix}", "--url={url}"], "absolute_url": True,
             "readiness": "{prefix}/status/200"},
    "asking": {"command": lambda prefix, url: [*ECHO, f"--at={prefix}", f"--url={url}"]},
    "stubborn": {"command": ECHO, "environment": {"JUPYTER_SERVER_PROXY_PREFIX": "/mine"}},
    "inner/name": {"command": ECHO},
}
"""

HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/me/"}


def process_of(jupyter: Jupyter, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = jupyter.get(f"{name}/environ").json()
    return answer


def place_of(jupyter: Jupyter, name: str) -> tuple[str, str]:
    environment = process_of(jupyter, name)["environ"]
    return environment["JUPYTER_SERVER_PROXY_PREFIX"], environment["JUPYTER_SERVER_PROXY_URL"]


@pytest.fixture(scope="module")
def jupyter(start_jupyter) -> Jupyter:
    return start_jupyter(CONFIG, base_url="/user/me/")


def test_prefix_and_url_are_in_the_environment(jupyter: Jupyter) -> None:
    origin = f"http://127.0.0.1:{jupyter.port}"
    prefix, url = place_of(jupyter, "plain")
    assert prefix == "/user/me/plain"
    assert url in (f"{origin}/user/me/plain/", f"http://localhost:{jupyter.port}/user/me/plain/")
    assert jupyter.token not in url
    assert place_of(jupyter, "inner/name")[0] == "/user/me/inner/name"


def test_they_are_templates_and_arguments_of_callables(jupyter: Jupyter) -> None:
    url = place_of(jupyter, "told")[1]
    words = process_of(jupyter, "told")["argv"]
    assert ("--prefix=/user/me/told" in words, f"--url={url}" in words) == (True, True)
    words = process_of(jupyter, "asking")["argv"]
    assert "--at=/user/me/asking" in words


def test_what_the_configuration_sets_wins(jupyter: Jupyter) -> None:
    assert place_of(jupyter, "stubborn")[0] == "/mine"


@pytest.mark.parametrize(
    ("public", "expected"),
    [("https://me.hub.example/user/me/", "https://me.hub.example/user/me/plain/"), ("", "/user/me/plain/")],
)
def test_behind_a_hub_the_hub_says_how_people_come(start_jupyter, public: str, expected: str) -> None:
    hub = start_jupyter(CONFIG, base_url="/user/me/", environment={**HUB, "JUPYTERHUB_PUBLIC_URL": public})
    assert place_of(hub, "plain") == ("/user/me/plain", expected)


def test_a_preset_completes_what_a_package_or_a_person_wrote(start_jupyter) -> None:
    """The program is a stand-in, which tells how it was called; real frameworks are in test_apps and tests/compat."""
    jupyter = start_jupyter(
        """
c.ServerProxy.servers = {
    "u": {"command": ECHO, "preset": "uvicorn"},
    "own": {"command": [*ECHO, "--host=localhost"], "preset": "uvicorn", "environment": {"A": "1"}},
    "wrong": {"command": ECHO, "preset": "uvicor"},
}
""",
        base_url="/base/",
    )
    words = process_of(jupyter, "u")["argv"]
    assert words[-2:] == ["--host=127.0.0.1", "--root-path=/base/u"]
    words = process_of(jupyter, "own")["argv"]
    assert words[-2:] == ["--host=localhost", "--root-path=/base/own"]
    assert jupyter.get("wrong/x").status == 404
    assert "server 'wrong': option 'preset' must be one of" in jupyter.log()
    assert "did you mean 'uvicorn'?" in jupyter.log()


def test_a_name_that_is_jupyters_is_warned_about(start_jupyter) -> None:
    jupyter = start_jupyter('c.ServerProxy.servers = {"view": {"command": ECHO}, "views": {"command": ECHO}}')
    assert jupyter.get("view/x").json()["target"] == "/x"
    assert "server 'view': its URLs are also Jupyter's own" in jupyter.log()
    assert "server 'views': its" not in jupyter.log()
