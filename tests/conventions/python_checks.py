"""Checks of the Python packages: which module imports which.

Belongs here: functions from the project's root to a list of faults, each a sentence that names the
file. The name of a function is the convention it checks.
Does not belong here: style, which ruff looks at.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from reading import place

PACKAGES = ("orchestration", "bench")


def no_module_needs_itself(root: Path) -> list[str]:
    """Imports within functions count as well: they hide a circle, and do not cut it."""
    modules = {
        _name(root, path): path
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    needed = {name: set(_imported(path, modules)) - {name} for name, path in modules.items()}
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        # each of them is imported by the one behind it; the first is also the last
        chain = " < ".join(place(root, modules[name]) for name in error.args[1])
        return [f"imported in a circle: {chain}"]
    return []


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in modules else node.module
