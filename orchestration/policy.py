"""Checks the policy numbers before anything runs.

Belongs here: the dbt vars, their types and ranges as dbt_project.yml declares them, and the few
that no range can describe (a time zone, a date). Does not belong here: paths and switches of a
machine (settings.py), rows of the business files (business_files.py).
"""

import difflib
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml

from orchestration.errors import IntentMapError, first_line
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources import EVENT_SOURCES

PROJECT_FILE = PROJECT_ROOT / "dbt_project" / "dbt_project.yml"
SOURCE_OF_OVERRIDES = "INTENT_MAP_VARS"
# vars with this beginning only say when health warns
HEALTH_VARS = "health_"
EARLIEST_START = date(1970, 1, 1)

# vars that must not fall along the line, and why
ASCENDING = (
    (
        ("cap_soft", "cap_medium", "cap_hard"),
        "A micro-conversion further from the goal is never worth more than a nearer one.",
    ),
    (
        ("minimum_response_weeks", "response_weeks"),
        "A response is never measured on more weeks than are looked at.",
    ),
    (
        ("health_lost_volume", "health_low_volume"),
        "A day that is an error is one that is worth a warning.",
    ),
    (
        ("trap_flat_growth", "trap_growth"),
        "Macro-conversions that grew like the micro-conversions are not flat.",
    ),
)


def check_policy(settings: Settings) -> list[str]:
    """Warnings about unusual values; raises IntentMapError that names every impossible one."""
    faults, warnings = judge_policy(_declared_vars(), settings.dbt_vars)
    if faults:
        raise IntentMapError("\n".join(faults))
    return warnings


def effective_vars(settings: Settings) -> dict[str, Any]:
    """Every policy var with its value in this run: the declared one, or its override."""
    return {k: v for k, v in _declared_vars().items() if k != "policy"} | settings.dbt_vars


def _declared_vars() -> dict[str, Any]:
    try:
        return _vars_in(PROJECT_FILE.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise IntentMapError("dbt_project.yml is not UTF-8; save it as UTF-8.") from None


# libyaml reads it ten times as fast, where PyYAML was built with it
class _EachKeyOnce(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A loader that refuses a key that stands twice, of which YAML takes the last silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in seen:
                raise IntentMapError(
                    f"dbt_project.yml, row {line}: '{key.value}' stands in row {seen[key.value]} "
                    "already; keep one of them."
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


@functools.lru_cache(maxsize=1)
def _vars_in(text: str) -> dict[str, Any]:
    try:
        project = yaml.load(text, Loader=_EachKeyOnce)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", row {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or first_line(error)
        raise IntentMapError(f"dbt_project.yml{place}: this is no YAML ({reason}).") from None
    declared = project.get("vars") if isinstance(project, dict) else None
    if not isinstance(declared, dict) or not isinstance(declared.get("policy"), dict):
        raise IntentMapError(
            "dbt_project.yml: `vars` and in it `policy` must be mappings, as in the shipped file."
        )
    return declared


def judge_policy(
    declared: Mapping[str, Any], overrides: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Sentences about impossible values, and about values outside the advised range.

    declared: the vars of dbt_project.yml with their `policy` block. overrides: of this run.
    """
    rules = declared["policy"]
    defaults = {name: value for name, value in declared.items() if name != "policy"}
    faults, warnings = [], []
    for name in defaults:
        if name not in rules and name not in SPECIAL:
            faults.append(_without_rule(name, [*rules, *SPECIAL]))
    for name in dict.fromkeys([*rules, *SPECIAL]):
        if name not in defaults:
            faults.append(
                f"{name} is missing in dbt_project.yml; put it back under vars. "
                f"{rules.get(name, {}).get('reason', '').strip()}".rstrip()
            )
    for name in overrides:
        if name not in defaults:
            faults.append(_unknown(name, defaults))
    values = defaults | {name: overrides[name] for name in overrides if name in defaults}
    for name, value in values.items():
        place = SOURCE_OF_OVERRIDES if name in overrides else "dbt_project.yml"
        if name in SPECIAL:
            fault = SPECIAL[name](value)
            if fault:
                faults.append(f"{name} is {_shown(value)}; {fault} It stands in {place}.")
        elif name in rules:
            fault = _against_rule(value, rules[name])
            if fault:
                reason = rules[name].get("reason", "").strip()
                said = f"{name} is {_shown(value)}; {fault}. {reason}".rstrip()
                faults.append(f"{said} It stands in {place}.")
            elif not _within(value, rules[name].get("advised")):
                low, high = rules[name]["advised"]
                warnings.append(
                    f"{name} is {_shown(value)}; advised is {low} to {high}. "
                    f"{rules[name].get('reason', '').strip()}".rstrip()
                )
    if not faults:
        faults += _out_of_order(values)
        warnings += [
            *_shorter_than_the_horizon(values),
            *_gone_with_the_raw_rows(values),
            *_attached_for_nothing(values),
        ]
    return faults, warnings


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    return (
        f"{SOURCE_OF_OVERRIDES} names '{name}', which is no policy var; the nearest is "
        f"'{_nearest(name, known)}'. All of them stand in dbt_project/dbt_project.yml under vars."
    )


def _without_rule(name: str, known: Iterable[str]) -> str:
    return (
        f"dbt_project.yml names '{name}' under vars, and `policy` has no rule for it; the nearest "
        f"is '{_nearest(name, known)}'. Mend the name, or say under policy what is allowed."
    )


def _nearest(name: Any, known: Iterable[str]) -> str:
    # YAML also reads a number or a date as a name
    return difflib.get_close_matches(str(name), known, n=1, cutoff=0)[0]


def _against_rule(value: Any, rule: Mapping[str, Any]) -> str | None:
    if "choices" in rule:
        # true is equal to 1 in Python
        fits = any(value == choice and type(value) is type(choice) for choice in rule["choices"])
        shown = ", ".join(_shown(choice).strip("'") for choice in rule["choices"])
        return None if fits else f"allowed is one of {shown}"
    if "items" in rule:
        return _against_items(value, rule["items"])
    if "minimum" in rule:
        return _against_range(value, rule["minimum"], rule["maximum"], rule.get("fractions", False))
    return None


def _against_items(value: Any, items: list[str]) -> str | None:
    allowed = f"allowed is a list of {', '.join(items)}"
    if not isinstance(value, list) or not value or any(item not in items for item in value):
        return f"{allowed}, at least one"
    if len(set(value)) < len(value):
        return f"{allowed}, each once"
    return None


def _against_range(value: Any, low: float, high: float, fractions: bool) -> str | None:
    allowed = f"allowed is {low} to {high}"
    if isinstance(value, str):
        return f"{allowed}, as a number without quotes"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{allowed}, as a number"
    # a range from 0 to 1 is a share; else whole bounds mean counting, if not denied
    counts = isinstance(low, int) and isinstance(high, int) and high > 1 and not fractions
    if counts and not isinstance(value, int):
        return f"{allowed}, as a whole number"
    return None if low <= value <= high else allowed


def _within(value: float, advised: list[float] | None) -> bool:
    return advised is None or advised[0] <= value <= advised[1]


def _out_of_order(values: Mapping[str, Any]) -> list[str]:
    faults = []
    for names, reason in ASCENDING:
        if not all(name in values for name in names):
            continue
        for lower, upper in itertools.pairwise(names):
            if values[lower] > values[upper]:
                faults.append(
                    f"{lower} is {_shown(values[lower])}; allowed is at most {upper}, "
                    f"which is {_shown(values[upper])}. {reason}"
                )
    return faults


def _shorter_than_the_horizon(values: Mapping[str, Any]) -> list[str]:
    look_back, horizon = values["look_back_days"], values["horizon_days"]
    if look_back > horizon:
        return []
    return [
        f"look_back_days is {_shown(look_back)}; advised is more than horizon_days, which is "
        f"{_shown(horizon)}. No trial is as old as the horizon, so the delay curve ends at the "
        "look-back and what would come later is not in the probabilities."
    ]


def _gone_with_the_raw_rows(values: Mapping[str, Any]) -> list[str]:
    raw_days, refused_days = values["raw_retention_days"], values["refused_retention_days"]
    if not 0 < raw_days < refused_days:
        return []
    return [
        f"refused_retention_days is {refused_days}; advised is at most raw_retention_days, which "
        f"is {raw_days}. A refused row is a raw row and goes with the others; only files set aside "
        "stay longer."
    ]


def _attached_for_nothing(values: Mapping[str, Any]) -> list[str]:
    unused = set(EVENT_SOURCES) - set(values["event_sources"])
    return [
        f"attached_sources names {source}, which event_sources leaves out, so none of its rows are "
        "read. List it there, or take the table out."
        for source in values["attached_sources"]
        if source in unused
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


def _time_zone(value: Any) -> str | None:
    # imported here: reading the zones costs time that most commands need not spend
    from zoneinfo import ZoneInfo

    try:
        if isinstance(value, str) and ZoneInfo(value) and _engine_knows_zone(value):
            return None
    except (KeyError, ValueError, OSError):
        pass
    return "allowed is a name of the IANA time zone list, such as Europe/Berlin or UTC."


def _engine_knows_zone(name: str) -> bool:
    """Whether SQL can use the zone; a machine's files also hold some that only it knows."""
    if name == "UTC":
        return True
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute("select 1 from pg_timezone_names() where name = ?", [name])
        return found.fetchone() is not None


def _currency(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value):
        return None
    return "allowed are three capital letters, such as EUR or USD."


def parse_iso_date(value: Any) -> date | None:
    """The date that a text such as 2026-07-01 means; None for anything else."""
    if type(value) is date:  # an unquoted date in YAML
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _project_start_date(value: Any) -> str | None:
    day = parse_iso_date(value)
    if day is None:
        return 'allowed is a date such as "2015-01-01".'
    if day < EARLIEST_START:
        return f"allowed is a date from {EARLIEST_START} on, where clocks of computers begin."
    if day > datetime.now(UTC).date():
        return "that day is yet to come, so every event would be refused as too old."
    return None


def _version_date(value: Any) -> str | None:
    if value is None:
        return None
    return (
        "the quarter of a version is given with `intent-map quarterly --as-of`, or in Dagster as "
        "the partition, never by a setting."
    )


def _restatement(value: Any) -> str | None:
    if type(value) is int and value == 0:
        return None
    return (
        "a version is restated by `intent-map quarterly --restate`, or in Dagster by restate "
        "in the config of quarterly_models, never by a setting."
    )


def _restatement_reason(value: Any) -> str | None:
    if value is None:
        return None
    return (
        "it is given with `intent-map quarterly --restate --why`, or in Dagster as why beside "
        "restate in the config of quarterly_models."
    )


def _attached_sources(value: Any) -> str | None:
    return None if isinstance(value, dict) else "allowed is a mapping; {} when there is none."


def _raw_retention_days(value: Any) -> str | None:
    if type(value) is int and (value == 0 or 30 <= value <= 36500):
        return None
    return (
        "allowed is 0, which keeps all rows, or 30 to 36500: late events still join visits of the "
        "last weeks."
    )


# what a range cannot say: name of the var -> its check, a sentence or None
SPECIAL: dict[str, Callable[[Any], str | None]] = {
    "reporting_time_zone": _time_zone,
    "reporting_currency": _currency,
    "project_start_date": _project_start_date,
    "version_date": _version_date,
    "raw_retention_days": _raw_retention_days,
    "restatement": _restatement,
    "restatement_reason": _restatement_reason,
    "attached_sources": _attached_sources,
}
