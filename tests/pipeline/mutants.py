"""A copy of the dbt project with one rule broken.

Belongs here: making and running the copy. Does not belong here: which rules are broken
(test_broken_on_purpose.py).
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from pipeline.homes import Home

from orchestration import dbt_runner
from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Mutation:
    """In one file of dbt_project the text `old` becomes `new`, wherever it stands."""

    rule: str
    file: str
    old: str
    new: str

    def fault(self) -> str:
        """Empty when the text can be broken; else what to do."""
        text = (PROJECT_ROOT / "dbt_project" / self.file).read_text(encoding="utf-8")
        if self.old in text and self.old != self.new:
            return ""
        return (
            f"{self.file} has changed: '{self.old}' is no longer in it. Break the rule "
            f"'{self.rule}' where it stands now."
        )


class BrokenProject:
    """A copy of the dbt project; homes inside of `broken` are built by it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "dbt_project"
        shutil.copytree(PROJECT_ROOT / "dbt_project", self.project)
        # what the project names by paths relative to itself
        (folder / "seeds").symlink_to(PROJECT_ROOT / "seeds")
        (folder / "tests").symlink_to(PROJECT_ROOT / "tests")

    def home(self, like: Home, name: str) -> Home:
        """A copy of a home with a dbt folder of its own."""
        home = like.copy(name)
        (home.path / "dbt").unlink()
        (home.path / "dbt").symlink_to(self.folder / "dbt", target_is_directory=True)
        (self.folder / "dbt").mkdir(exist_ok=True)
        return home

    @contextlib.contextmanager
    def broken(self, mutation: Mutation) -> Iterator[None]:
        file = self.project / mutation.file
        whole = file.read_text(encoding="utf-8")
        assert not mutation.fault(), mutation.fault()
        file.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
        try:
            with mock.patch.object(dbt_runner, "PROJECT_DIR", self.project):
                yield
        finally:
            file.write_text(whole, encoding="utf-8")


def unit_tests_pass(home: Home, model: str) -> bool:
    """Of one model, on a home that has its parents' tables."""
    _, *args = dbt_runner.nightly_args(home.settings)
    # a night leaves out the quarterly models
    args = ["test", *args[: args.index("--exclude")], "--select", f"{model},test_type:unit"]
    args.remove("unit_test")
    args.remove("--exclude-resource-type")
    try:
        home.build(args)
    except IntentMapError as error:
        assert "unit_test" in str(error), error
        return False
    return True
