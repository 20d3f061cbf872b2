"""The published marts and the page over them as Dagster assets, with a check that shows the early
warnings.

Belongs here: the assets, the check and what they show. Does not belong here: publishing itself
(orchestration/publishing/), the page (orchestration/dashboard/), telling people
(orchestration/alerts.py).
"""

from collections.abc import Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    asset,
)

from orchestration.alerts import EarlyWarning, alert, newest_warnings
from orchestration.dashboard import write_dashboard
from orchestration.defs.steps import OWNERS, WRITER_POOL, problems_in_words
from orchestration.old_logs import remove_old_logs
from orchestration.publishing import publish
from orchestration.settings import SERVING_FILE, Settings

EARLY_WARNINGS = "early_warnings"


def build_published_asset(settings: Settings, marts: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset published_marts, which depends on all marts."""

    @asset(
        name="published_marts",
        deps=marts,
        group_name="published",
        kinds={"duckdb", "parquet"},
        owners=OWNERS,
        description=(
            "The marts as people and BI tools read them: one DuckDB file and Parquet copies, each "
            "replaced in one step while they may be read."
        ),
        check_specs=[
            AssetCheckSpec(
                EARLY_WARNINGS,
                asset="published_marts",
                description=(
                    "No micro-conversion of the newest days left its own history. Only warns: "
                    "it stops nothing."
                ),
            )
        ],
        pool=WRITER_POOL,
    )
    def published_marts(context: AssetExecutionContext) -> MaterializeResult:
        with problems_in_words(context):
            manifest = publish(settings, context.run.run_id, report=context.log.info)
            warnings = newest_warnings(settings)
            alert(settings, warnings, report=context.log.info)
            remove_old_logs(settings)
        return MaterializeResult(
            metadata={
                "tables": len(manifest.tables),
                "dagster/row_count": sum(table.rows for table in manifest.tables),
                "bytes": manifest.serving_bytes,
                "personal ids": manifest.personal_ids,
                "serving file": MetadataValue.path(settings.serving / SERVING_FILE),
                "rows of each table": MetadataValue.table(
                    records=[
                        TableRecord({"table": table.name, "rows": table.rows})
                        for table in manifest.tables
                    ],
                    schema=TableSchema([TableColumn("table"), TableColumn("rows", "int")]),
                ),
            },
            check_results=[early_warnings_check(warnings)],
        )

    return published_marts


def build_dashboard_asset(settings: Settings, published: AssetsDefinition) -> AssetsDefinition:
    """The asset dashboard, which depends on what was published."""

    @asset(
        name="dashboard",
        deps=[published],
        group_name="published",
        kinds={"html"},
        owners=OWNERS,
        description=(
            "One page for the browser over the published marts: what needs an act today, the last "
            "28 days, what micro-conversions are worth. Replaced in one step."
        ),
        pool=WRITER_POOL,
    )
    def dashboard(context: AssetExecutionContext) -> MaterializeResult:
        with problems_in_words(context):
            path = write_dashboard(settings, report=context.log.info)
        return MaterializeResult(
            metadata={"page": MetadataValue.path(path), "bytes": path.stat().st_size}
        )

    return dashboard


def early_warnings_check(warnings: Sequence[EarlyWarning]) -> AssetCheckResult:
    """Passed when there are none; else a warning with all of them as a table."""
    columns = ("date", "micro_conversion", "channel_group", "warning", "severity", "money_at_risk")
    records = [
        TableRecord({column: str(getattr(warning, column)) for column in columns})
        for warning in warnings
    ]
    return AssetCheckResult(
        check_name=EARLY_WARNINGS,
        passed=not warnings,
        severity=AssetCheckSeverity.WARN,
        description="\n".join(str(warning) for warning in warnings[:5]) or None,
        metadata={
            "warnings": len(warnings),
            "money at risk": round(sum(warning.money_at_risk for warning in warnings), 2),
            "which": MetadataValue.table(
                records=records, schema=TableSchema([TableColumn(column) for column in columns])
            ),
        },
    )
