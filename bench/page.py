"""The page docs/benchmarks.md and its plot, from what was measured.

Belongs here: words, tables and the drawing. Does not belong here: measuring, limits.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from bench.bars import Ratio, Verdict, ratios
from bench.profile import ModelProfile
from bench.stages import STAGES, Case

MODELS_SHOWN = 20
HEAD = """# Benchmarks

What a full refresh, a night, a quarter and publishing cost, next to the same core computed by hand.
This page is written by the harness; do not edit it.

```
make bench                                  # a million events, 90 days, two rounds
make bench ARGS="--events 15m --rounds 3"   # the size that most bars are meant for
make bench ARGS="--events 15m --history"    # also: nights on 360 days against nights on 30
make bench ARGS="--events 15m --scale"      # also: 5, 50 and 100 million with little memory
make bench ARGS="--shape few_heavy"         # few visitors with very many events each
```

- **Files**: `bench/generate.py` writes wide rows in the generic format, seeded, one file for each
  day of arrival: events with JSON properties of some 200 bytes, about 1 % copies, 1 % late, 0.2 %
  to be refused; two shapes, `many_light` and `few_heavy` visitors.
- **References** compute the core only: accepting, de-duplication, sessions, first times of six
  micro-conversions, P(macro | micro) by source and visitor type, daily counts. The definition
  stands in `bench/references/core.py`. Their results are compared with each other and with the
  project's tables, number for number; a difference fails the run. So does a night on top that
  leaves another result than all files at once.
- **In turn**: each round runs every stage once, in a process of its own, on the same number of
  cores; DuckDB has the same memory limit in all of them. Memory is the most that the process and
  its children had at once. A ratio is taken within a round; shown are the median and, in
  brackets, the least and the most.
- **Bars** are held against the worse of processor time and wall clock; how long a night takes is
  its wall clock. One that this run did not measure says so. The command ends with status 1 when
  results differ or a run fails, with 2 when a bar is not met at the size that it is meant for.
  Where a case besides the main one fails, the page says so and has those before it.
"""


def write(
    page: Path,
    cases: Sequence[Case],
    verdicts: Sequence[Verdict],
    machine: Mapping[str, str],
    profiles: Sequence[ModelProfile],
    failed: str | None = None,
) -> None:
    """Write the page and, beside it, the plot under the same name. failed: the case at which the
    run ended, where it did not measure all."""
    main = cases[0]
    plot = page.with_suffix(".svg")
    parts = [HEAD]
    if failed:
        parts.append(
            f"**Not all was measured:** the case {failed} failed, and the run ended there.\n"
        )
    parts += [_machine(machine, main), "## Bars\n\n" + bars_table(verdicts)]
    parts.append(f"![Processor seconds of each stage]({plot.name})\n")
    parts += [_case(case, main.machine.memory_limit) for case in cases]
    if profiles:
        parts.append(_profiles(main, profiles))
    plot.write_text(drawing(main), encoding="utf-8")
    page.write_text("\n".join(parts), encoding="utf-8")


def bars_table(verdicts: Sequence[Verdict]) -> str:
    rows = [
        [
            verdict.bar.name,
            verdict.said or "-",
            verdict.state,
            f"{verdict.bar.at_size / 1e6:.0f} million"
            + ("" if verdict.is_at_size or not verdict.said else ", measured with fewer"),
        ]
        for verdict in verdicts
    ]
    return _table(["bar", "measured", "", "meant for"], rows, "llll")


def _machine(machine: Mapping[str, str], case: Case) -> str:
    said = ", ".join(f"{name} {value}" for name, value in machine.items())
    return (
        f"## Machine\n\n{said}. Cores of every process: {case.machine.threads}. DuckDB's memory "
        f"limit, where a case says no other: {case.machine.memory_limit}.\n"
    )


def _case(case: Case, usual_limit: str) -> str:
    size, limit = case.size, case.machine.memory_limit
    nights = f"; a night on top has {case.night_rows:,} rows" if "night" in case.costs else ""
    limited = f" DuckDB's memory limit: {limit}." if limit != usual_limit else ""
    lines = [
        f"## Case {case.name}: {size.events:,} events over {size.days} days, {size.shape}",
        "",
        f"{case.raw_rows:,} raw rows in {case.landed_bytes / 1e6:,.0f} MB of Parquet{nights}. "
        f"After the full refresh the warehouse has {case.warehouse_bytes / 1e6:,.0f} MB, the "
        f"serving folder {case.serving_bytes / 1e6:,.0f} MB.{limited}",
        "",
    ]
    rows = []
    for stage, name in STAGES.items():
        costs = case.costs.get(stage)
        if not costs:
            continue
        found = ratios(case, stage, "duckdb")
        rows.append(
            [
                name,
                str(Ratio.of([cost.seconds for cost in costs])),
                str(Ratio.of([cost.cpu_seconds for cost in costs])),
                f"{max(cost.memory_bytes for cost in costs) / 1e9:.2f}",
                str(found["processor"]) if found else "-",
                str(found["wall"]) if found else "-",
            ]
        )
    heads = ["stage", "wall s", "processor s", "memory GB", "processor / (f)", "wall / (f)"]
    lines.append(_table(heads, rows, "lrrrrr"))
    if case.steps:
        steps = [[name, f"{median(seconds):.1f}"] for name, seconds in case.steps.items()]
        lines.append(_table(["step of the full refresh", "wall s"], steps, "lr"))
    lines += [f"{note}\n" for note in case.notes]
    return "\n".join(lines)


def _profiles(case: Case, profiles: Sequence[ModelProfile]) -> str:
    total = sum(profile.cpu_seconds for profile in profiles) or 1.0
    rows = []
    shown = profiles[:MODELS_SHOWN]
    for profile in shown:
        costly = "; ".join(
            f"{o.name.lower()} {o.seconds / max(profile.operator_seconds, 1e-9):.0%}"
            for o in profile.operators[:3]
        )
        seconds = case.nodes.get(f"model {profile.name}")
        rows.append(
            [
                f"`{profile.name}`",
                "-" if seconds is None else f"{seconds:.2f}",
                f"{profile.cpu_seconds:.2f}",
                f"{profile.cpu_seconds / total:.0%}",
                f"{profile.operator_seconds:.2f}",
                f"{profile.rows_read:,}",
                f"{profile.rows_written:,}",
                costly,
            ]
        )
    heads = ["model", "in the run s", "processor s", "share", "operators s", "rows read"]
    heads += ["rows written", "of the operators' time"]
    tests = sum(seconds for name, seconds in case.nodes.items() if name.startswith("test "))
    count = sum(name.startswith("test ") for name in case.nodes)
    return (
        "## Where the time goes\n\nEach table's query of the full refresh, run again by itself "
        f"under DuckDB's profiler, writing included: the {len(shown)} costliest of "
        f"{len(profiles)} tables, which take {total:.1f} s of processor time together.\n\n"
        "- `in the run` is dbt's own clock, with other nodes running beside it.\n"
        "- `processor` is the processor time of the query, all threads together; `share` is its "
        "part of that of all tables.\n"
        "- `operators` is what the profiler's clocks say of all operators together. They run on "
        "while a thread waits for a core, and stand still for what DuckDB does between operators, "
        "so this is not a part of the processor time; the last column shares it out.\n"
        "- `rows read` are those that the scans of tables gave out, after the filters that a scan "
        "applies itself.\n\n"
        + _table(heads, rows, "lrrrrrrl")
        + f"\nThe {count} data tests of the full refresh took {tests:.1f} s by dbt's clock.\n"
    )


def drawing(case: Case) -> str:
    """Bars of processor seconds, one a stage: median, with a line from least to most."""
    costs = {
        name: Ratio.of([cost.cpu_seconds for cost in case.costs[stage]])
        for stage, name in STAGES.items()
        if case.costs.get(stage)
    }
    left, width, line, top = 380, 420, 26, 46
    height = top + line * len(costs) + 10
    scale = width / max((ratio.most for ratio in costs.values()), default=1.0)
    title = f"Processor seconds, {case.size.events:,} events over {case.size.days} days"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 80}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="26" font-size="15" fill="#222">{escape(title)}</text>',
    ]
    for number, (name, ratio) in enumerate(costs.items()):
        y = top + line * number
        colour = "#8a8f98" if "reference" in name else "#2563a8"
        middle = y + 9
        parts += [
            f'<text x="{left - 10}" y="{y + 14}" text-anchor="end" fill="#222">'
            f"{escape(name)}</text>",
            f'<rect x="{left}" y="{y}" width="{ratio.middle * scale:.1f}" height="18" '
            f'fill="{colour}"/>',
            f'<line x1="{left + ratio.least * scale:.1f}" x2="{left + ratio.most * scale:.1f}" '
            f'y1="{middle}" y2="{middle}" stroke="#222" stroke-width="2"/>',
            f'<text x="{left + ratio.most * scale + 8:.1f}" y="{y + 14}" fill="#222">'
            f"{ratio.middle:.1f}</text>",
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    marks = ["---:" if side == "r" else "---" for side in align]
    lines = [heads, marks, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
