"""Applications that no package wraps, set up in the configuration as the documentation says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Jupyter, wait_until

CONFIG = """
c.ServerProxy.servers = {{
    "mlflow": {{
        "command": [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{{port}}",
                    "--workers", "1", "--static-prefix", "{{base_url}}mlflow",
                    "--backend-store-uri", "sqlite:///{data}/mlflow.db", "--default-artifact-root", "{data}/artifacts"],
        "absolute_url": True,
        "timeout": 120,
    }},
    "gradio": {{
        "command": [sys.executable, "{apps}/gradio_app.py", "{{port}}", "{{base_url}}gradio"],
        "environment": {{"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}},
        "timeout": 120,
    }},
    "tensorboard": {{
        "command": [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", "{{port}}",
                    "--path_prefix", "{{base_url}}tensorboard", "--logdir", "{data}/logs"],
        "absolute_url": True,
        "timeout": 120,
    }},
}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], data: Path) -> Jupyter:
    config = CONFIG.format(data=data, apps=Path(__file__).parent / "apps")
    return start_jupyter(config, base_url="/base/", environment={"MLFLOW_DISABLE_TELEMETRY": "true"})


@pytest.mark.timeout(240)
@pytest.mark.package("mlflow")
def test_mlflow(jupyter: Jupyter) -> None:
    """Under --static-prefix (absolute_url): page, scripts; an experiment made, a metric logged and found"""
    page = jupyter.get("mlflow/", timeout=200)
    assert (page.status, "MLflow" in page.text) == (200, True)
    script = page.text.partition('src="')[2].partition('"')[0]
    path = script.removeprefix("/base/") if script.startswith("/base/") else f"mlflow/{script}"
    assert jupyter.get(path).get(
        "Content-Type",
    ).split(";")[0] in ("text/javascript", "application/javascript")

    def call(what: str, **body: object) -> dict[str, object]:
        answer = jupyter.request("POST", f"mlflow/ajax-api/2.0/mlflow/{what}", body=json.dumps(body).encode(),
                                 headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    experiment = call("experiments/create", name="compat")["experiment_id"]
    run = call("runs/create", experiment_id=experiment, start_time=0)["run"]["info"]["run_id"]  # type: ignore[index]
    call("runs/log-metric", run_id=run, key="answer", value=42, timestamp=int(time.time() * 1000))
    [found] = call("runs/search", experiment_ids=[experiment])["runs"]  # type: ignore[misc]
    assert found["data"]["metrics"][0]["value"] == 42  # type: ignore[index]


@pytest.mark.timeout(240)
@pytest.mark.package("gradio")
def test_gradio(jupyter: Jupyter) -> None:
    """Under root_path: page, its configuration, streamed answers (SSE), an upload of 5 MB and back"""
    page = jupyter.get("gradio/", timeout=200)
    assert (page.status, "gradio" in page.text) == (200, True)
    settings = jupyter.get("gradio/config").json()
    assert settings["root"].endswith("/base/gradio")
    called = jupyter.request("POST", "gradio/gradio_api/call/shout", body=b'{"data": ["hello"]}',
                             headers={"Content-Type": "application/json"})  # fmt: skip
    assert called.status == 200, called.text
    answers = jupyter.get(f"gradio/gradio_api/call/shout/{called.json()['event_id']}")
    assert answers.get("Content-Type").split(";")[0] == "text/event-stream"
    assert [
        line for line in dict.fromkeys(answers.text.splitlines()) if line in ('data: ["H"]', 'data: ["HELLO"]')
    ] == ['data: ["H"]', 'data: ["HELLO"]']
    content = bytes(range(256)) * 20_000
    head = b'--boundary\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
    sent = jupyter.request("POST", "gradio/gradio_api/upload", body=head + content + b"\r\n--boundary--\r\n",
                           headers={"Content-Type": "multipart/form-data; boundary=boundary"})  # fmt: skip
    assert sent.status == 200, sent.text
    assert jupyter.get(f"gradio/gradio_api/file={sent.json()[0]}").body == content


@pytest.mark.package("gradio")
def test_gradios_client(jupyter: Jupyter) -> None:
    """Gradio's own client through Jupyter, with its token"""
    from gradio_client import Client

    jupyter.get("gradio/", timeout=100)
    url = f"http://127.0.0.1:{jupyter.port}/base/gradio/"
    client = Client(url, headers={"Authorization": f"token {jupyter.token}"}, verbose=False, analytics_enabled=False)
    assert client.predict("hello", api_name="/shout") == "HELLO"
    assert list(client.submit("abc", api_name="/shout"))[-1] == "ABC"


@pytest.mark.timeout(240)
@pytest.mark.package("tensorboard")
def test_tensorboard(jupyter: Jupyter, data: Path) -> None:
    """Under --path_prefix (absolute_url): page, scripts; scalars that were written are found"""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(data / "logs/run"))
    for step in range(3):
        summary = Summary(value=[Summary.Value(tag="loss", simple_value=3.0 - step)])
        writer.add_event(Event(wall_time=1_000_000 + step, step=step, summary=summary))
    writer.close()
    page = jupyter.get("tensorboard/", timeout=200)
    assert (page.status, "TensorBoard" in page.text) == (200, True)
    assert jupyter.get("tensorboard/index.js").status == 200
    tags = wait_until(lambda: jupyter.get("tensorboard/data/plugin/scalars/tags").json(), "the run to be read")
    assert "loss" in tags["run"]
    scalars = jupyter.get("tensorboard/data/plugin/scalars/scalars?run=run&tag=loss").json()
    assert [point[1:] for point in scalars] == [[0, 3.0], [1, 2.0], [2, 1.0]]
