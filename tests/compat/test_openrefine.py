"""OpenRefine, the example of the reference documentation: from a package, and from the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from harness import Jupyter

#: Debian's script is not called "refine", and its real one wants to be called by its own path.
REFINE = '#!/bin/sh\nexec /usr/share/openrefine/refine "$@"\n'

CSV = "name,born\nAda,1815\nGrace,1906\nBarbara,1939\n"


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    programs, data = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("data")
    (programs / "refine").write_text(REFINE)
    (programs / "refine").chmod(0o755)
    config = f'c.ServerProxy.servers = {{"example": {{"command": ["{programs}/refine", "-p", "{{port}}"]}}}}'
    environment = {"OPENREFINE_PATH": str(programs), "REFINE_DIR": str(data / "package"), "XDG_DATA_HOME": str(data)}
    return start_jupyter(config, environment=environment, base_url="/base/")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("openrefine", marks=pytest.mark.package("nb-serverproxy-openrefine", "OpenRefine")),
        pytest.param("example", marks=pytest.mark.package("OpenRefine")),
    ],
)
def test_a_project_from_a_csv_file(jupyter: Jupyter, name: str) -> None:
    """Page and scripts; a project created from a CSV file, and its rows (also as in the reference's example)"""
    page = jupyter.get(f"{name}/", timeout=200)
    assert (page.status, "OpenRefine" in page.text) == (200, True)
    script = re.search(r'src="([^"]+\.js)"', page.text)
    assert script, page.text
    assert jupyter.get(f"{name}/{script[1]}").status == 200
    token = jupyter.get(f"{name}/command/core/get-csrf-token").json()["token"]
    boundary = "----------boundary"
    parts = [('name="project-name"', "pioneers"), ('name="format"', "text/line-based/*sv"),
             ('name="options"', '{"separator":","}'),
             ('name="project-file"; filename="pioneers.csv"\r\nContent-Type: text/csv', CSV)]  # fmt: skip
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n" for head, text in parts)
    created = jupyter.request(
        "POST", f"{name}/command/core/create-project-from-upload?{urlencode({'csrf_token': token})}",
        body=f"{body}--{boundary}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )  # fmt: skip
    assert created.status == 302, created.text
    location = created.get("Location") or ""
    found = re.search(rf"/base/{name}/project\?project=(\d+)$", location)
    assert found, location
    rows = jupyter.get(f"{name}/command/core/get-rows?project={found[1]}&start=0&limit=10").json()
    assert [row["cells"][0]["v"] for row in rows["rows"]] == ["Ada", "Grace", "Barbara"]
    assert jupyter.get(f"{name}/project?project={found[1]}").status == 200
