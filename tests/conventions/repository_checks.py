"""Checks of the repository as a whole: files, policy numbers, dependencies.

Belongs here: functions from the project's root to a list of faults, each a sentence that names the
file. The name of a function is the convention it checks.
Does not belong here: models, macros and pages (the other *_checks modules).
"""

import re
import tomllib
from pathlib import Path

from reading import line_of, load_yaml, place, project_files, text_of

LARGEST_FILE = 1024 * 1024
# built from pieces, so that this file does not name what it looks for
ROOTS = "|".join(["home", "Users", "work", "workspaces?", "mnt", "media", "srv", "private", "tmp"])
MACHINE_PATH = re.compile(
    r"(?<![\w.})\]*~<>-])/"
    rf"(?:(?:{ROOTS})/[\w.]+|root/[\w.]+|var/folders/\w+)"
    r"|\b[A-Z]:\\{1,2}Users\\"
)
INDEX_ADDRESS = re.compile(
    r"https?://\S+/simple\b|index[-_]url\s*[=\s]\s*['\"]?https?:|find[-_]links\s*[=\s]\s*['\"]?https?:"
)
ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host")


def no_file_is_larger_than_one_mebibyte(root: Path) -> list[str]:
    return [
        f"{place(root, path)}: {path.stat().st_size:,} bytes, {LARGEST_FILE:,} at most"
        for path in project_files(root)
        if path.stat().st_size > LARGEST_FILE
    ]


def no_path_of_a_machine_is_written_down(root: Path) -> list[str]:
    faults = []
    for path in project_files(root):
        text = text_of(path) or ""
        for match in MACHINE_PATH.finditer(text):
            where = f"{place(root, path)}:{line_of(text, match.start())}"
            faults.append(f"{where}: {match.group()} is a path of one machine")
    return faults


def no_package_index_is_written_down(root: Path) -> list[str]:
    faults = []
    for path in project_files(root):
        text = text_of(path) or ""
        pattern = ADDRESS if path.name == "constraints.txt" else INDEX_ADDRESS
        for match in pattern.finditer(text):
            where = f"{place(root, path)}:{line_of(text, match.start())}"
            faults.append(f"{where}: {match.group()} names where packages come from")
    return faults


def every_policy_number_has_a_range_and_a_reason_and_is_used(root: Path) -> list[str]:
    file = root / "dbt_project" / "dbt_project.yml"
    where = place(root, file)
    values = dict(load_yaml(file).get("vars") or {})
    policy = values.pop("policy", None) or {}
    readers = [
        *(root / "dbt_project").rglob("*.sql"),
        *(root / "dbt_project").rglob("*.py"),
        *(root / "tests" / "dbt").rglob("*.sql"),
        *(root / "orchestration").rglob("*.py"),
    ]
    read = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    faults = []
    for name, value in values.items():
        if not re.search(rf"""['"]{name}['"]""", read):
            faults.append(f"{where}: var {name} is not used")
        if isinstance(value, int | float) and name not in policy:
            faults.append(f"{where}: var {name} is a number without a range and a reason in policy")
    for name, rule in policy.items():
        if name not in values:
            faults.append(f"{where}: policy {name} is for no var")
            continue
        if not str(rule.get("reason") or "").strip():
            faults.append(f"{where}: policy {name} has no reason")
        if not _is_within(values[name], rule):
            faults.append(
                f"{where}: var {name} is {values[name]}: outside its range, or it has none"
            )
    return faults


def every_dependency_is_chosen_in_a_decision(root: Path) -> list[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project.get("dependencies") or [])
    for extra in (project.get("optional-dependencies") or {}).values():
        wanted += extra
    names = {re.split(r"[\s\[<>=!~;@]", requirement)[0].lower() for requirement in wanted}
    pages = sorted((root / "docs" / "adr").glob("*.md"))
    decisions = "\n".join(page.read_text(encoding="utf-8").lower() for page in pages)
    return [
        f"pyproject.toml: {name} is chosen in no docs/adr/ page"
        for name in sorted(names)
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", decisions)
    ]


def _is_within(value: object, rule: dict) -> bool:
    if "choices" in rule:
        return value in rule["choices"]
    if "items" in rule:
        return isinstance(value, list) and set(value) <= set(rule["items"])
    if "minimum" in rule and "maximum" in rule and isinstance(value, int | float):
        return rule["minimum"] <= value <= rule["maximum"]
    return False
