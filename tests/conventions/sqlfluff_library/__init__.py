"""What dbt offers to Jinja, as far as sqlfluff needs it to lint without a warehouse.

Belongs here: stand-ins named by `library_path` in .sqlfluff. Each renders to SQL that parses and
that keeps its arguments, so that a column used only there still counts as used. sqlfluff itself
brings ref, source, var, config, this and is_incremental.
Does not belong here: anything that tests run; no answer given here is ever executed.
"""

import re
from datetime import UTC, datetime
from types import SimpleNamespace


def _as_call(name: str):
    """A function that renders to a call of `name`: good as a scalar and as a table."""

    def render(*arguments, **named) -> str:
        flat = []
        for argument in [*arguments, *named.values()]:
            flat.extend(argument if isinstance(argument, list | tuple) else [argument])
        # which way an order goes is no part of an argument
        texts = [re.sub(r" desc\b", "", str(argument)) for argument in flat]
        return f"{name}({', '.join(texts)})"

    return render


class _Dbt:
    """The `dbt` namespace: dbt.dateadd('day', 1, 'x') and its like."""

    def __getattr__(self, name: str):
        if name.startswith("type_"):
            return lambda: "varchar"
        if name == "cast":
            return lambda field, type: f"cast({field} as {type})"
        return _as_call(name)


class _Adapter:
    """`adapter.dispatch` gives the call itself, or the query that it makes; there are no other
    answers."""

    def dispatch(self, name: str, package: str | None = None):
        if name == "step_by_step":
            return lambda name, first, next, times: f"{first} union all {next}"
        return _as_call(name)

    def quote(self, name: str) -> str:
        return f'"{name}"'

    def __getattr__(self, name: str):
        return lambda *arguments, **named: None


class _Node(dict):
    """The node at hand: a mapping that macros may keep something in."""

    unique_id = "lint"


def run_query(*arguments, **named) -> SimpleNamespace:
    return SimpleNamespace(rows=[(1, 1)], columns=[])


dbt = _Dbt()
adapter = _Adapter()
execute = False
run_started_at = datetime(2026, 7, 1, tzinfo=UTC)
target = SimpleNamespace(name="lint", schema="lint", type="lint")
graph = SimpleNamespace(nodes={}, sources={})
model = _Node()
exceptions = SimpleNamespace(raise_compiler_error=lambda message: "", warn=lambda message: "")
