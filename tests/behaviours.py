"""Which test covers which required behaviour: ``python tests/behaviours.py`` prints the table.

The ids stand in ``docs/migrating.md`` and ``docs/security.md``, and in tests: as arguments of the marker ``behaviour``,
which some files give a short name, or at the beginning of a test's name (``test_h17_...``).
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
COUNTS = {"S": 9, "C": 7, "H": 23, "W": 9, "P": 11}
IDS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]

_ID = re.compile(r"[SCHWP]\d{1,2}")
_NAME = re.compile(r"test_([schwp]\d{1,2}(?:_[schwp]\d{1,2})*)_")


def covered() -> dict[str, list[str]]:
    """The tests of each id, as ``file::name`` without parameters."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.glob("*/**/test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        everywhere = {
            name
            for node in tree.body
            if isinstance(node, ast.Assign) and _is_pytestmark(node)
            for name in _ids(node.value)
        }
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                for name in sorted(everywhere | _ids_of(node)):
                    found[name].append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


def _is_pytestmark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _ids_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    named = _NAME.match(node.name)
    ids = {name.upper() for name in named[1].split("_")} if named else set()
    return ids.union(*(_ids(decorator) for decorator in node.decorator_list if not _is_parametrize(decorator)))


def _is_parametrize(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"


def _ids(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and _ID.fullmatch(inner.value):
            yield inner.value


def main() -> None:
    """Print the table: id, how many tests, and one of each file."""
    found = covered()
    for name in IDS:
        files: dict[str, str] = {}
        for test in found[name]:
            files.setdefault(test.partition("::")[0], test.partition("::")[2])
        examples = "; ".join(f"{file} ({test})" for file, test in files.items())
        print(f"| {name} | {len(found[name])} | {examples} |")


if __name__ == "__main__":
    main()
