"""Pages of the cookbook, as they stand, that need more than CI installs: a visit, and all parts of the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from harness import Jupyter
from recipes import PROGRAMS, entry_of, files_of, get, load_parts, open_page, start_page

pytestmark = pytest.mark.timeout(400)

NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "id": "a", "metadata": {}, "source": "6 * 7", "outputs": [], "execution_count": None}
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)

#: By page: what the page that the launcher leads to holds, what else answers, and the packages.
CASES = {
    "dash": ("_dash-config", "squares/_dash-layout", ["dash"]),
    "fastapi": ("/user/me/service/openapi.json", "service/square/7", ["uvicorn", "fastapi"]),
    "flask": ("/user/me/notes/notes/1", "notes/notes/1", ["gunicorn", "flask"]),
    "gradio": ("/user/me/greeter", "greeter/config", ["gradio"]),
    "mlflow": ("MLflow", "mlflow/health", ["mlflow"]),
    "openrefine": ("OpenRefine", "openrefine/command/core/get-version", ["OpenRefine"]),
    "shiny": ("shiny", "doubler/", ["shiny"]),
    "tensorboard": ("TensorBoard", "tensorboard/data/environment", ["tensorboard"]),
    "voila": ("42", "dashboard/", ["voila"]),
}
PARAMETERS = [
    pytest.param(page, shown, also, id=page, marks=pytest.mark.package(*packages))
    for page, (shown, also, packages) in CASES.items()
]


@pytest.mark.parametrize(("page", "shown", "also"), PARAMETERS)
def test_page(start_jupyter: Callable[..., Jupyter], page: str, shown: str, also: str) -> None:
    """Its page of the cookbook, as it stands, under its prefix: page, scripts, styles"""
    jupyter = start_page(start_jupyter, page, **({"dashboard_ipynb": NOTEBOOK} if page == "voila" else {}))
    url, answer = open_page(jupyter, entry_of(jupyter, page))
    assert shown in answer.text, answer.text[:3000]
    load_parts(jupyter, url, answer)
    assert get(jupyter, also).status == 200


@pytest.mark.package("fastapi")
def test_the_command_of_fastapi(start_jupyter: Callable[..., Jupyter]) -> None:
    """The preset for `fastapi run`: /docs, whose document is under the prefix, and an answer"""
    program = files_of("fastapi")["service.py"]
    config = 'c.ServerProxy.servers = {"own": {"command": ["fastapi", "run", "service.py"], "preset": "fastapi"}}'
    jupyter = start_jupyter(
        config + "\nc.ServerApp.allow_remote_access = True\n", base_url="/user/me/", environment=PROGRAMS
    )
    (jupyter.directory / "service.py").write_text(program)
    _, answer = open_page(jupyter, "own/docs")
    assert "/user/me/own/openapi.json" in answer.text
    assert get(jupyter, "own/square/7").json() == {"square": 49}
