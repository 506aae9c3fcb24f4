"""What installing puts into an environment beside the package, laid out from the checkout as pyproject.toml says."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # a requirement of pytest

REPOSITORY = Path(__file__).parents[2]


def lay_out(directory: Path) -> dict[str, str]:
    """Copy the shared data below a directory.

    Copies, because Jupyter Server does not follow links out of the directories that it serves.

    Args:
        directory: becomes what ``sys.prefix`` is for an installed package.

    Returns:
        The environment variables by which Jupyter finds it, before anything that is installed.
    """
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    shared_data = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    if not (REPOSITORY / "jupyter_server_proxy" / "labextension" / "static").is_dir():
        pytest.fail("The front end is not built: pip install -e . builds it, or jlpm build:prod in labextension.")
    for source, target in shared_data.items():
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, directory / target, dirs_exist_ok=True)
        else:
            shutil.copy(REPOSITORY / source, directory / target)
    paths = {"JUPYTER_PATH": directory / "share" / "jupyter", "JUPYTER_CONFIG_PATH": directory / "etc" / "jupyter"}
    return {name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])]) for name, path in paths.items()}
