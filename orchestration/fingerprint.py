"""When must everything be built anew? A checksum of all rules that rows already built follow.

Belongs here: the parts of the checksum, where the warehouse keeps them, and the words for what
changed. Does not belong here: how dbt is told to build anew (dbt_runner.py), raw rows (their
arrival is followed by the models themselves).

A model that is built bit by bit keeps rows made under the rules of their night. When a rule
changes, those rows are wrong, so the models are built anew from raw. The parts are kept for each
node: a run that covers some models only brings only those up to date, and what it builds on nodes
that follow other rules still counts as not up to date. Version tables are never built anew
(full_refresh: false in their dbt configuration).
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_runner
from orchestration.errors import IntentMapError, first_line
from orchestration.layout import TABLE, create_table
from orchestration.one_line import in_short
from orchestration.policy import HEALTH_VARS, effective_vars
from orchestration.settings import Settings

BUILT_ANEW = ("incremental", "snapshot")
# what a run builds under the rules in force, but for the quarterly clock
FOLLOW_RULES = ("model", "seed", "snapshot")
# strategies by which a changed business file reaches the rows that are there already
FOLLOWS_CHANGES = ("replace_differing", "replace_changed", "replace_users")
# policy that no row already built follows
CHANGES_NO_ROW = (
    *("version_date", "restatement", "restatement_reason"),
    *("raw_retention_days", "refused_retention_days", "arrival_days_offered"),
)


def current(settings: Settings, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Part → checksum of the rules in force: business files, policy, models, engine.

    Business files count when a model that is built bit by bit reads them, directly or through
    others; the rest is read anew each night anyway.
    """
    return {
        "business files": _checksum(_business_files(settings, manifest)),
        "policy": _checksum([json.dumps(_policy(settings), sort_keys=True, default=str)]),
        "models": _checksum(_code(manifest)),
        "engine": _checksum(
            [
                duckdb.__version__,
                manifest["metadata"]["dbt_version"],
                # a newer list of bots refuses other rows
                version("crawler-user-agents"),
            ]
        ),
    }


def incremental_models(manifest: Mapping[str, Any], nodes: Iterable[str] | None = None) -> set[str]:
    """Names of the models that a nightly run builds bit by bit, out of `nodes` (names) or all."""
    wanted = None if nodes is None else set(nodes)
    return {
        node["name"]
        for node in manifest["nodes"].values()
        if node["config"].get("materialized") in BUILT_ANEW
        and node["config"].get("full_refresh") is not False
        and (wanted is None or node["name"] in wanted)
    }


def changed_parts(settings: Settings, now: Mapping[str, str], models: Iterable[str]) -> list[str]:
    """The parts that differ from those under which any of these models was built last.

    Empty when nothing differs or nothing was built yet. A table that was built outside these
    runs has no parts noted; then all parts count as changed.
    """
    changed = {part for parts in _differing(settings, now, models).values() for part in parts}
    return [part for part in now if part in changed]


def foreseen(settings: Settings) -> str:
    """Why the next night will build all rows anew, as a sentence; "" when it will not, or no table
    was built yet. Reads the manifest of the last run, so an upgrade shows from the next one on.
    Raises IntentMapError when the warehouse cannot be read now."""
    if not dbt_runner.manifest_path(settings).exists():
        return ""
    manifest = dbt_runner.load_manifest(settings)
    try:
        changed = changed_parts(settings, current(settings, manifest), incremental_models(manifest))
    except duckdb.IOException as error:
        raise IntentMapError(
            "Whether the next night will build all rows anew cannot be told now, since the "
            f"warehouse cannot be read: {first_line(error)}"
        ) from error
    if not changed:
        return ""
    return (
        f"The next night will build all rows anew: {listed(changed)} changed since they were built."
    )


def refuse_to_value(
    settings: Settings, now: Mapping[str, str], manifest: Mapping[str, Any], names: Iterable[str]
) -> None:
    """Stop before these nodes (names) write a version, which is kept for good, from tables that do
    not follow the rules of `now`. Raises IntentMapError."""
    wanted = {*names}
    chosen = [
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in FOLLOW_RULES and node["name"] in wanted
    ]
    below = ancestors(manifest, chosen)
    differing = _differing(
        settings, now, [name for name, node in _followers(manifest).items() if node in below]
    )
    if differing:
        changed = {part for parts in differing.values() for part in parts}
        raise IntentMapError(
            f"No version is written, as {listed(part for part in now if part in changed)} changed "
            "since the tables that it is computed from were built "
            f"({in_short(sorted(differing))}). Run nightly_refresh first, or "
            "quarterly_value_recalculation, which builds them too."
        )


def _differing(
    settings: Settings, now: Mapping[str, str], models: Iterable[str]
) -> dict[str, list[str]]:
    """Of these models those that were built last under other rules, each with the parts."""
    if not settings.warehouse.exists():
        return {}
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        tables = {
            name
            for (name,) in warehouse.execute(
                "select table_name from information_schema.tables"
            ).fetchall()
        }
        noted = {}
        if TABLE.split(".")[1] in tables:
            noted = dict(warehouse.execute(f"select name, value from {TABLE}").fetchall())
    there = tables | noted.keys()
    differing = {model: _parts_unlike(now, noted.get(model)) for model in models if model in there}
    return {model: parts for model, parts in differing.items() if parts}


def _parts_unlike(now: Mapping[str, str], note: str | None) -> list[str]:
    """The parts that differ from those noted; all where nothing is."""
    before = json.loads(note) if note else {}
    return [part for part, checksum in now.items() if before.get(part) != checksum]


def forget(
    settings: Settings, now: Mapping[str, str], changed: Iterable[str], models: Iterable[str]
) -> None:
    """Note that these models are about to be built anew for what changed: whichever rules are in
    force next, a build that stops half-way leaves none of them up to date."""
    with _state(settings) as warehouse:
        _note(warehouse, {**now, **dict.fromkeys(changed)}, models)


def remember(
    settings: Settings, now: Mapping[str, str], manifest: Mapping[str, Any], built: Iterable[str]
) -> list[str]:
    """Note that these nodes (names) were just built under the rules of `now`; call after success
    only. Returns those that do not count as such, as something that they are built on was built
    under other rules and not in this run: whichever rules are in force next, they are not up to
    date."""
    nodes = _followers(manifest)
    wanted = nodes.keys() & {*built}
    with _state(settings) as warehouse:
        noted = dict(warehouse.execute(f"select name, value from {TABLE}").fetchall())
        follow = wanted | {name for name in nodes if noted.get(name) == json.dumps(dict(now))}
        behind = {
            nodes[name]: _parts_unlike(now, noted.get(name)) for name in nodes.keys() - follow
        }
        left = {}
        for name in wanted:
            if below := behind.keys() & ancestors(manifest, [nodes[name]]):
                left[name] = {part for node in below for part in behind[node]}
        _note(warehouse, now, wanted - left.keys())
        for name, parts in left.items():
            _note(warehouse, {**now, **dict.fromkeys(parts)}, [name])
    return sorted(left)


def moved(settings: Settings, rules: Mapping[str, str], manifest: Mapping[str, Any]) -> list[str]:
    """The parts that changed since a run took down its `rules`: dbt may have read either."""
    return _parts_unlike(current(settings, manifest), json.dumps(dict(rules)))


def doubt(
    settings: Settings,
    rules: Mapping[str, str],
    parts: Iterable[str],
    manifest: Mapping[str, Any],
    built: Iterable[str],
) -> None:
    """Note that these nodes (names) were built while those parts changed: whichever rules are in
    force next, they are not up to date."""
    forget(settings, rules, parts, _followers(manifest).keys() & {*built})


def _followers(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What is noted: name → unique id."""
    return {
        node["name"]: unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in FOLLOW_RULES and not dbt_runner.is_quarterly(node)
    }


@contextlib.contextmanager
def _state(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, with the table of what is noted."""
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        create_table(warehouse)
        yield warehouse


def _note(
    warehouse: duckdb.DuckDBPyConnection,
    parts: Mapping[str, str | None],
    names: Iterable[str],
) -> None:
    value = json.dumps(dict(parts))
    built_at = datetime.now(UTC).replace(tzinfo=None)
    rows = [(name, value, built_at) for name in sorted(names)]
    warehouse.execute("begin")
    for row in rows:
        warehouse.execute(f"insert or replace into {TABLE} values (?, ?, ?)", row)
    warehouse.execute("commit")


def in_words(changed: list[str]) -> str:
    """Why everything is built anew, as one line for the run's log."""
    return f"Building all rows anew: {listed(changed)} changed since they were built."


def listed(changed: Iterable[str]) -> str:
    """The changed parts, for a sentence."""
    names = {
        "business files": "the business files",
        "policy": "policy vars",
        "models": "the dbt models or macros",
        "engine": "the version of DuckDB, dbt or the list of bots",
    }
    said = [names[part] for part in changed]
    return said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]


def behind_in_words(names: Sequence[str]) -> str:
    """Of tables that `remember` returns: why they are not up to date, and what comes of it."""
    return (
        "Built on seeds or tables that do not follow the rules in force yet: "
        f"{in_short(names)}. The next run with all of them builds all rows anew."
    )


def moved_in_words(parts: Iterable[str]) -> str:
    """What `moved` found, as one line for the run's log."""
    return (
        f"While this run went on {listed(parts)} changed, so its rows may follow either state of "
        "them."
    )


def _policy(settings: Settings) -> dict[str, Any]:
    return {
        name: value
        for name, value in effective_vars(settings).items()
        if name not in CHANGES_NO_ROW and not name.startswith(HEALTH_VARS)
    }


def _business_files(settings: Settings, manifest: Mapping[str, Any]) -> Iterable[str]:
    feeding = ancestors(
        manifest,
        [
            unique_id
            for unique_id, node in manifest["nodes"].items()
            if node["name"] in incremental_models(manifest)
            and node["config"].get("incremental_strategy") not in FOLLOWS_CHANGES
        ],
    )
    for unique_id in sorted(feeding):
        node = manifest["nodes"].get(unique_id)
        if node is None or node["resource_type"] != "seed":
            continue
        # not where the manifest says: it may have been made for another folder
        path = settings.seeds / Path(node["original_file_path"]).name
        yield node["name"]
        yield hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def ancestors(manifest: Mapping[str, Any], unique_ids: Iterable[str]) -> set[str]:
    """These nodes (unique ids) and all that they are built on."""
    seen: set[str] = set()
    left = list(unique_ids)
    while left:
        unique_id = left.pop()
        if unique_id not in seen:
            seen.add(unique_id)
            left.extend(manifest["parent_map"].get(unique_id, []))
    return seen


def _code(manifest: Mapping[str, Any]) -> Iterable[str]:
    """What the models do: their SQL, configuration and column types; descriptions may change."""
    for unique_id, node in sorted(manifest["nodes"].items()):
        if node["resource_type"] in ("model", "snapshot"):
            columns = {name: column["data_type"] for name, column in node["columns"].items()}
            yield unique_id
            yield node["raw_code"]
            yield json.dumps([node["config"], columns], sort_keys=True, default=str)
    for unique_id, macro in sorted(manifest["macros"].items()):
        if macro["package_name"] == manifest["metadata"]["project_name"]:
            yield unique_id
            yield macro["macro_sql"]


def _checksum(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        # so that moving a letter from one text to the next is a change
        digest.update(b"\0")
    return digest.hexdigest()
