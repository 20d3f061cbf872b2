"""How the convention checks read the project: as text and YAML, from any root.

Belongs here: finding files, taking comments off, loading YAML. Every function takes the root, so
that a check runs on the project and on a small bad tree alike.
Does not belong here: what is right or wrong (the *_checks modules), dbt, a warehouse.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

# the floors from the lowest to the highest, each with the prefix of its models
FLOORS = {"staging": "stg_", "intermediate": "int_", "valuation": "val_", "marts": "mart_"}
# never part of the project, also where no git says so
IGNORED_FOLDERS = {
    ".git",
    ".venv",
    "home",
    "target",
    "logs",
    "dbt_packages",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
}

JINJA_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Model:
    """One model file; `floor` is the first folder below models/."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def floor(self) -> str:
        return self.path.relative_to(self.root / "dbt_project" / "models").parts[0]

    @property
    def place(self) -> str:
        return place(self.root, self.path)

    @cached_property
    def code(self) -> str:
        return code(self.path)

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The model's entry in the YAML beside it; empty when there is none."""
        file = self.path.with_suffix(".yml")
        if not file.exists():
            return {}
        entries = load_yaml(file).get("models") or []
        return next((entry for entry in entries if entry.get("name") == self.name), {})


def place(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def code(path: Path) -> str:
    """The file without its comments; line numbers stay."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match.group().count("\n")

    return SQL_COMMENT.sub(blank, JINJA_COMMENT.sub(blank, path.read_text(encoding="utf-8")))


def load_yaml(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}


def models(root: Path) -> list[Model]:
    folder = root / "dbt_project" / "models"
    files = [*folder.rglob("*.sql"), *folder.rglob("*.py")]
    return [Model(root, path) for path in sorted(files)]


def seeds(root: Path) -> list[Path]:
    return sorted((root / "seeds").glob("*.csv"))


def macro_files(root: Path, *folders: str) -> list[Path]:
    """The macro files, all of them or those of some folders of macros/."""
    base = root / "dbt_project" / "macros"
    chosen = [base / folder for folder in folders] if folders else [base]
    return sorted(path for folder in chosen for path in folder.rglob("*.sql"))


def data_test_files(root: Path) -> list[Path]:
    return sorted((root / "tests" / "dbt").rglob("*.sql"))


def property_files(root: Path) -> list[Path]:
    """Every YAML file that dbt reads, but for dbt_project.yml."""
    folders = (root / "dbt_project", root / "seeds", root / "tests" / "dbt")
    files = [path for folder in folders for path in folder.rglob("*.yml")]
    return sorted(
        path
        for path in files
        if path.name != "dbt_project.yml"
        and not IGNORED_FOLDERS & set(path.relative_to(root).parts)
    )


def documents(root: Path) -> list[Path]:
    """The pages for people."""
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "bench").rglob("*.md")]
    return sorted(pages)


def project_files(root: Path) -> list[Path]:
    """Files that are or would be committed; without git, all but the known ignored folders."""
    asked = None
    if (root / ".git").exists() and shutil.which("git"):
        asked = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
        )
    if asked and asked.returncode == 0:
        paths = {root / name for name in asked.stdout.decode().split("\0") if name}
        return sorted(path for path in paths if path.is_file() and not path.is_symlink())
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not IGNORED_FOLDERS & set(path.relative_to(root).parts)
    )


def text_of(path: Path) -> str | None:
    """The file's text, or None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
