"""The jobs: which assets run together.

Belongs here: names and selections. Does not belong here: crons (schedules.py), steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster import AssetChecksDefinition, AssetsDefinition, AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.defs.dbt_assets import REBUILD_TAG
from orchestration.defs.landing import ARRIVALS

NIGHTLY = "nightly_refresh"
QUARTERLY = "quarterly_value_recalculation"
PUBLISH = "publish_marts"
BACKFILL = "backfill"
REBUILD = "rebuild_history"
HEALTH = "health_checks"

# jobs that land all that lies in the landing folders; a backfill lands its days alone
LANDING_JOBS = (NIGHTLY, QUARTERLY, REBUILD)


@dataclass(frozen=True)
class Jobs:
    """All jobs."""

    nightly: UnresolvedAssetJobDefinition
    quarterly: UnresolvedAssetJobDefinition
    publish: UnresolvedAssetJobDefinition
    backfill: UnresolvedAssetJobDefinition
    rebuild: UnresolvedAssetJobDefinition
    health: UnresolvedAssetJobDefinition

    @property
    def all(self) -> list[UnresolvedAssetJobDefinition]:
        return list(vars(self).values())


def build_jobs(
    landing: AssetsDefinition,
    nightly_models: AssetsDefinition,
    quarterly_models: AssetsDefinition,
    published: Sequence[AssetsDefinition],
    health: AssetChecksDefinition,
) -> Jobs:
    """The jobs. Each that publishes looks at the health last. published: all that people read.

    The quarterly job has the nightly models in it as well: valuation reads some of them, and the
    marts read the valuation. Dagster runs the nightly models in two parts there, those before the
    valuation and those after it, so the job works on a fresh home and the marts carry the new
    version when it ends.
    """
    # days of arrival are chosen in the backfill only; every other job lands what has not landed
    raw = AssetSelection.assets(landing) - AssetSelection.assets(ARRIVALS)
    every_clock = raw | AssetSelection.assets(nightly_models, quarterly_models, *published)
    return Jobs(
        nightly=define_asset_job(
            NIGHTLY,
            selection=raw | AssetSelection.assets(nightly_models, *published),
            description="Land what arrived, bring all tables up to date, publish.",
        ),
        quarterly=define_asset_job(
            QUARTERLY,
            selection=every_clock,
            description=(
                "Value the micro-conversions anew: one immutable version per quarter, computed "
                "from what happened before the quarter's first day. Then marts and publishing."
            ),
        ),
        publish=define_asset_job(
            PUBLISH,
            selection=AssetSelection.assets(*published),
            description="Publish the marts as they stand in the warehouse.",
        ),
        backfill=define_asset_job(
            BACKFILL,
            selection=AssetSelection.assets(landing, nightly_models, *published),
            description=(
                "Land the files of chosen days of arrival, one day after the other, then bring "
                "all tables up to date and publish."
            ),
        ),
        rebuild=define_asset_job(
            REBUILD,
            selection=every_clock,
            run_tags={REBUILD_TAG: "yes"},
            description=(
                "The whole history: build every row anew from raw, write the versions that are "
                "missing of the chosen quarters, in order, and publish. Versions that are there "
                "stay as they are."
            ),
        ),
        health=define_asset_job(
            HEALTH,
            selection=AssetSelection.checks(health),
            description=(
                "Only look: attached tables, arrivals, volume, refusals, columns, version, "
                "publish, page, disk and erasures."
            ),
        ),
    )
