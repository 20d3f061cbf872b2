"""How things stand, as asset checks.

Belongs here: the checks, which table each stands at, and what they show. Does not belong here:
what is looked at and judged (orchestration/health/).
"""

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    multi_asset_check,
)

from orchestration import health
from orchestration.defs.steps import WRITER_POOL, problems_in_words
from orchestration.settings import Settings

# all at one asset: seen together there, and one step in every job
PUBLISHED = AssetKey("published_marts")

SEVERITIES = {
    health.OK: AssetCheckSeverity.WARN,
    health.WARN: AssetCheckSeverity.WARN,
    health.ERROR: AssetCheckSeverity.ERROR,
}


def build_health_checks(settings: Settings) -> AssetChecksDefinition:
    """One check for each name in health.CHECKS; none of them stops anything."""

    @multi_asset_check(
        name="health",
        description="Looks at attached tables, arrivals, volume, refusals, columns, version, "
        "rules, publish, page, disk and erasures.",
        specs=[
            AssetCheckSpec(name, asset=PUBLISHED, description=description)
            for name, description in health.CHECKS.items()
        ],
        can_subset=True,
        pool=WRITER_POOL,
    )
    def checks(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        with problems_in_words(context):
            findings = health.look(settings, run_id=context.run.run_id)
        for finding in findings:
            if finding.severity != health.OK:
                context.log.info(f"{finding.severity}: {finding.title}: {finding.sentence}")
        for key in sorted(context.selected_asset_check_keys):
            found = [finding for finding in findings if finding.name == key.name]
            yield result(key.name, found)

    return checks


def result(name: str, found: Sequence[health.Finding]) -> AssetCheckResult:
    """One check from its findings: as severe as the worst, its figures to plot over time."""
    severity = health.worst(found)
    columns = ("state", "of", "what")
    numbers = {
        f"{finding.subject}: {figure}" if finding.subject else figure: value
        for finding in found
        for figure, value in finding.figures.items()
    }
    bad = [finding.sentence for finding in found if finding.severity != health.OK]
    return AssetCheckResult(
        check_name=name,
        asset_key=PUBLISHED,
        passed=severity == health.OK,
        severity=SEVERITIES[severity],
        description="\n".join(bad) or None,
        metadata={
            **numbers,
            "findings": MetadataValue.table(
                records=[
                    TableRecord(
                        {"state": f.severity, "of": f.subject or f.name, "what": f.sentence}
                    )
                    for f in found
                ],
                schema=TableSchema([TableColumn(column) for column in columns]),
            ),
        },
    )
