"""Subclasses of ProxyHandler inside and outside of Jupyter: dask's dashboards."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bokeh_client
import pytest
from harness import PATIENCE, Answer, Jupyter, background, free_port, listens, wait_until

FACTORY = {"dashboard-address": "127.0.0.1:0", "threads-per-worker": 1}


def ask(port: int, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.reason, response.getheaders(), response.read())
    finally:
        connection.close()


# ---- distributed: a Tornado application without Jupyter


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Ports of the dashboards of a scheduler and of its worker."""
    directory: Path = tmp_path_factory.mktemp("dask")
    port, dashboard, worker_dashboard = free_port(), free_port(), free_port()
    dask = [sys.executable, "-m", "dask"]
    with (
        background([*dask, "scheduler", "--host=127.0.0.1", f"--port={port}",
                    f"--dashboard-address=127.0.0.1:{dashboard}"], lambda: listens(dashboard), cwd=directory),
        background([*dask, "worker", f"tcp://127.0.0.1:{port}", "--no-nanny", "--nthreads=1", "--host=127.0.0.1",
                    f"--dashboard-address=127.0.0.1:{worker_dashboard}"], lambda: listens(worker_dashboard),
                   cwd=directory),
    ):  # fmt: skip
        there = f"/proxy/{worker_dashboard}/127.0.0.1/status"
        wait_until(lambda: ask(dashboard, there).status == 200, "the worker to be known to the scheduler")
        yield dashboard, worker_dashboard


@pytest.mark.package("distributed")
def test_a_workers_dashboard_through_the_schedulers(scheduler: tuple[int, int]) -> None:
    """Worker's dashboard through the scheduler's (no Jupyter): pages, scripts, Bokeh's websocket"""
    dashboard, worker = scheduler
    prefix = f"/proxy/{worker}/127.0.0.1"
    direct, proxied = ask(worker, "/status"), ask(dashboard, f"{prefix}/status")
    assert (proxied.status, proxied.get("Content-Type")) == (200, direct.get("Content-Type"))
    assert "Bokeh" in proxied.text
    script = "/static/js/bokeh.min.js"
    assert ask(dashboard, prefix + script).body == ask(worker, script).body
    url = f"ws://127.0.0.1:{dashboard}{prefix}/status/ws"
    assert bokeh_client.pull(url, bokeh_client.token_of(proxied.text))["roots"]


@pytest.mark.package("distributed")
def test_an_unknown_worker_is_refused_by_the_scheduler(scheduler: tuple[int, int]) -> None:
    """Scheduler's own answer for a worker that it does not know"""
    answer = ask(scheduler[0], f"/proxy/{free_port()}/127.0.0.1/status")
    assert (answer.status, "does not exist" in answer.text) == (400, True)


# ---- under Jupyter


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    environment = {"DASK_LABEXTENSION__FACTORY__KWARGS": repr(FACTORY), "DASK_LABEXTENSION__DEFAULT__WORKERS": "1"}
    return start_jupyter(environment=environment, base_url="/base/")


@pytest.fixture(scope="module")
def cluster(jupyter: Jupyter) -> dict[str, str]:
    answer = jupyter.request("PUT", "dask/clusters/", body=b"")
    assert answer.status == 200, answer.text
    model: dict[str, str] = answer.json()
    return model


@pytest.mark.package("distributed")
def test_the_schedulers_dashboard_behind_jupyter(jupyter: Jupyter, scheduler: tuple[int, int]) -> None:
    """Dashboards under /proxy/<port>/ of Jupyter, a worker's within the scheduler's, with websockets"""
    dashboard, worker = scheduler
    for path in (f"proxy/{dashboard}/status", f"proxy/{dashboard}/proxy/{worker}/127.0.0.1/status"):
        page = jupyter.get(path)
        assert page.status == 200
        assert bokeh_client.pull(jupyter.websocket_url(f"{path}/ws"), bokeh_client.token_of(page.text))["roots"]


@pytest.mark.package("dask-labextension")
def test_the_dashboard_of_a_cluster(jupyter: Jupyter, cluster: dict[str, str]) -> None:
    """Cluster started in the lab extension; /dask/dashboard/<id>/...: pages, redirect, scripts, login needed"""
    prefix = f"dask/dashboard/{cluster['id']}"
    page = jupyter.get(f"{prefix}/status")
    assert (page.status, "Bokeh" in page.text) == (200, True)
    assert jupyter.get(f"{prefix}/status", login=False).status == 403
    plots = jupyter.get(f"{prefix}/individual-plots.json").json()
    assert plots
    assert all(jupyter.get(prefix + plot).status == 200 for plot in list(plots.values())[:2])
    assert len(jupyter.get(f"{prefix}/static/js/bokeh.min.js").body) > 100_000
    assert jupyter.get(f"{prefix}/nothing-here").status == 404
    unknown = "dask/dashboard/12345678-0000-0000-0000-000000000000/status"
    assert jupyter.get(unknown).status == 404


@pytest.mark.package("dask-labextension")
def test_the_websocket_of_a_dashboard(jupyter: Jupyter, cluster: dict[str, str]) -> None:
    """Bokeh's websocket under /dask/dashboard/<id>/status/ws: session opened, document pulled"""
    path = f"dask/dashboard/{cluster['id']}/individual-task-stream"
    page = jupyter.get(path)
    token = bokeh_client.token_of(page.text)
    assert bokeh_client.pull(jupyter.websocket_url(f"{path}/ws"), token)["roots"]


@pytest.mark.package("dask-labextension")
def test_clusters_are_found_and_closed(jupyter: Jupyter, cluster: dict[str, str]) -> None:
    """Dashboard found by the extension's check; cluster closed, dashboard gone"""
    link = cluster["dashboard_link"].removesuffix("/status").replace(":", "%3A").replace("/", "%2F")
    found = jupyter.get(f"dask/dashboard-check/{link}").json()
    assert found["isActive"], json.dumps(found)
    assert jupyter.request("DELETE", f"dask/clusters/{cluster['id']}").status == 204
    assert jupyter.get(f"dask/dashboard/{cluster['id']}/status").status == 404
