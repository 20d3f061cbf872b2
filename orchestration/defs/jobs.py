"""The jobs: which assets run together.

Belongs here: names and selections. Does not belong here: crons (schedules.py), steps.
"""

from dagster import AssetsDefinition, AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

NIGHTLY = "nightly_refresh"
QUARTERLY = "quarterly_value_recalculation"
PUBLISH = "publish_marts"


def build_jobs(
    landing: AssetsDefinition,
    nightly_models: AssetsDefinition,
    quarterly_models: AssetsDefinition,
    published: AssetsDefinition,
) -> tuple[
    UnresolvedAssetJobDefinition, UnresolvedAssetJobDefinition, UnresolvedAssetJobDefinition
]:
    """nightly_refresh, quarterly_value_recalculation, publish_marts.

    The quarterly job has the nightly models in it as well: valuation reads some of them, and the
    marts read the valuation. Dagster runs the nightly models in two parts there, those before the
    valuation and those after it, so the job works on a fresh home and the marts carry the new
    version when it ends.
    """
    nightly = define_asset_job(
        NIGHTLY,
        selection=AssetSelection.assets(landing, nightly_models, published),
        description="Land what arrived, bring all tables up to date, publish.",
    )
    quarterly = define_asset_job(
        QUARTERLY,
        selection=AssetSelection.assets(landing, nightly_models, quarterly_models, published),
        description=(
            "Value the micro-conversions anew: one immutable version per quarter, computed from "
            "what happened before the quarter's first day. Then marts and publishing."
        ),
    )
    publish = define_asset_job(
        PUBLISH,
        selection=AssetSelection.assets(published),
        description="Publish the marts as they stand in the warehouse.",
    )
    return nightly, quarterly, publish
