"""Checks of the models' names, places and YAML.

Belongs here: functions from the project's root to a list of faults, each a sentence that names the
file. The name of a function is the convention it checks.
Does not belong here: what stands inside the SQL (sql_checks.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reading import FLOORS, load_yaml, models, place, property_files, seeds

# what a data test may carry besides its arguments
TEST_KEYS = {"arguments", "config", "name", "description", "alias"}
# what belongs under `config` since dbt 1.10
CONFIG_KEYS = {"meta", "tags"}


def every_model_has_its_own_yaml_beside_it(root: Path) -> list[str]:
    faults = []
    for model in models(root):
        file = model.path.with_suffix(".yml")
        if not file.exists():
            faults.append(f"{model.place}: {file.name} is missing beside it")
            continue
        named = [entry.get("name") for entry in load_yaml(file).get("models") or []]
        if named != [model.name]:
            faults.append(
                f"{place(root, file)}: describes {named or 'no model'}, should be [{model.name}]"
            )
    for file in property_files(root):
        is_beside = any(file.with_suffix(ending).exists() for ending in (".sql", ".py"))
        if load_yaml(file).get("models") and not is_beside:
            faults.append(f"{place(root, file)}: the model {file.stem} is not beside it")
    return faults


def every_model_description_starts_with_its_grain(root: Path) -> list[str]:
    return [
        f"{model.place}: the description should start with its grain, 'One row per …'"
        for model in models(root)
        if not (model.properties.get("description") or "").startswith("One row per ")
    ]


def every_public_column_is_described(root: Path) -> list[str]:
    faults = []
    for model in models(root):
        if model.floor != "marts":
            continue
        columns = model.properties.get("columns") or []
        if not columns:
            faults.append(f"{model.place}: its YAML lists no columns")
        for column in columns:
            if not (column.get("description") or "").strip():
                faults.append(f"{model.place}: column {column.get('name')} has no description")
            if not column.get("data_type"):
                faults.append(f"{model.place}: column {column.get('name')} has no data_type")
    return faults


def every_public_model_has_an_enforced_contract(root: Path) -> list[str]:
    by_folder = _folder_settings(root, "marts").get("+contract") or {}
    faults = []
    for model in models(root):
        if model.floor != "marts":
            continue
        own = (model.properties.get("config") or {}).get("contract")
        contract = by_folder if own is None else own
        inline = "contract" in model.code
        if contract.get("enforced") is not True or inline:
            faults.append(f"{model.place}: its contract is not enforced by YAML")
    return faults


def every_model_has_the_prefix_of_its_folder(root: Path) -> list[str]:
    faults = []
    for model in models(root):
        prefix = FLOORS.get(model.floor)
        if prefix is None:
            faults.append(f"{model.place}: {model.floor} is no floor ({', '.join(FLOORS)})")
        elif not model.name.startswith(prefix):
            faults.append(f"{model.place}: the name should start with {prefix}")
        elif model.floor == "staging" and "__" not in model.name:
            faults.append(f"{model.place}: the name should be stg_<source>__<what>")
    return faults


def no_yaml_key_is_of_the_old_style(root: Path) -> list[str]:
    """`data_tests`, `arguments` and `config: {meta, tags}`: dbt does not warn about all of them."""
    faults = []
    settings = root / "dbt_project" / "dbt_project.yml"
    if settings.exists():
        for key in {"tests", "data-paths", "source-paths"} & set(load_yaml(settings)):
            faults.append(f"{place(root, settings)}: {key} is an old key")
    for file in property_files(root):
        where = place(root, file)
        for node in _nodes(load_yaml(file)):
            name = node.get("name", "?")
            if "tests" in node:
                faults.append(f"{where}: {name} has tests, should be data_tests")
            for key in sorted(CONFIG_KEYS & set(node)):
                faults.append(f"{where}: {name} has {key} on top, should be under config")
            for test in node.get("data_tests") or []:
                faults.extend(f"{where}: {name}, {fault}" for fault in _test_faults(test))
    return faults


def every_seed_has_its_own_yaml(root: Path) -> list[str]:
    faults = []
    for seed in seeds(root):
        file = seed.with_suffix(".yml")
        entries = load_yaml(file).get("seeds") or [] if file.exists() else []
        if [entry.get("name") for entry in entries] != [seed.stem]:
            faults.append(f"{place(root, seed)}: {file.name} should describe it, and only it")
            continue
        if not (entries[0].get("description") or "").startswith("One row per "):
            faults.append(f"{place(root, file)}: the description should start with 'One row per …'")
        header = seed.read_text(encoding="utf-8-sig").splitlines()[0].split(",")
        described = [column.get("name") for column in entries[0].get("columns") or []]
        if header != described:
            faults.append(f"{place(root, file)}: describes {described}, the file has {header}")
    for file in sorted((root / "seeds").glob("*.yml")):
        if not file.with_suffix(".csv").exists():
            faults.append(f"{place(root, file)}: {file.stem}.csv is missing")
    return faults


def no_line_of_prose_in_yaml_is_long(root: Path) -> list[str]:
    """110 characters; the data of a unit test and a type stay in one piece."""
    faults = []
    for file in property_files(root):
        rows_are_deeper_than: int | None = None
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            depth = len(line) - len(line.lstrip())
            if rows_are_deeper_than is not None and line.strip() and depth <= rows_are_deeper_than:
                rows_are_deeper_than = None
            if line.strip() == "rows: |":
                rows_are_deeper_than = depth
            is_data = line.lstrip().startswith(("- {", "data_type:", "vars: {"))
            if len(line) > 110 and not is_data and rows_are_deeper_than is None:
                faults.append(f"{place(root, file)}:{number}: {len(line)} characters, 110 at most")
    return faults


def _folder_settings(root: Path, floor: str) -> dict[str, Any]:
    file = root / "dbt_project" / "dbt_project.yml"
    settings = load_yaml(file) if file.exists() else {}
    by_project = (settings.get("models") or {}).get(settings.get("name")) or {}
    return by_project.get(floor) or {}


def _nodes(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Models, seeds, sources, their tables, and the columns of each."""
    for kind in ("models", "seeds", "snapshots", "sources"):
        for node in content.get(kind) or []:
            yield node
            yield from node.get("columns") or []
            for table in node.get("tables") or []:
                yield table
                yield from table.get("columns") or []


def _test_faults(test: str | dict[str, Any]) -> list[str]:
    if isinstance(test, str):
        return []
    if "test_name" in test:
        return [f"{test['test_name']} is written with test_name"]
    faults = []
    for name, body in test.items():
        loose = sorted(set(body or {}) - TEST_KEYS)
        if loose:
            faults.append(f"{name}: {', '.join(loose)} should be under arguments or config")
    return faults
