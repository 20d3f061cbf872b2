"""The published marts as a Dagster asset.

Belongs here: the asset and what it shows. Does not belong here: publishing itself
(orchestration/publishing.py).
"""

from collections.abc import Sequence

from dagster import (
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

from orchestration.defs.steps import WRITER_POOL, problems_in_words
from orchestration.publishing import publish
from orchestration.settings import Settings


def build_published_asset(settings: Settings, marts: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset published_marts, which depends on all marts."""

    @asset(
        name="published_marts",
        deps=marts,
        group_name="published",
        kinds={"duckdb", "parquet"},
        description=(
            "The marts as people and BI tools read them: one DuckDB file and Parquet copies, each "
            "replaced in one step while they may be read."
        ),
        pool=WRITER_POOL,
    )
    def published_marts(context: AssetExecutionContext) -> MaterializeResult:
        with problems_in_words(context):
            manifest = publish(settings, context.run.run_id, report=context.log.info)
        return MaterializeResult(
            metadata={
                "tables": len(manifest.tables),
                "dagster/row_count": sum(table.rows for table in manifest.tables),
                "bytes": manifest.serving_bytes,
                "personal ids": manifest.personal_ids,
                "serving file": MetadataValue.path(settings.serving / "intent_map.duckdb"),
                "rows of each table": MetadataValue.table(
                    records=[
                        TableRecord({"table": table.name, "rows": table.rows})
                        for table in manifest.tables
                    ],
                    schema=TableSchema([TableColumn("table"), TableColumn("rows", "int")]),
                ),
            }
        )

    return published_marts
