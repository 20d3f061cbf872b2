"""Everything that Dagster loads, put together.

Belongs here: composing what defs/ offers. Does not belong here: the definitions themselves.

Nothing happens when this module is imported. Loading the definitions reads the dbt manifest,
which is made anew first when the dbt project has changed; no connection is opened.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from dagster import Definitions, definitions, in_process_executor

from orchestration.dbt_runner import load_manifest, manifest_vars, prepare_manifest
from orchestration.defs.dbt_assets import build_dbt_assets
from orchestration.defs.health import build_health_checks
from orchestration.defs.jobs import build_jobs
from orchestration.defs.landing import build_landing_assets, build_other_raw_assets
from orchestration.defs.partitions import (
    arrival_days,
    first_day_offered,
    quarters,
    time_zone,
)
from orchestration.defs.published import build_dashboard_asset, build_published_asset
from orchestration.defs.schedules import build_schedules
from orchestration.defs.sensors import build_sensors
from orchestration.defs.upkeep import build_upkeep_jobs, build_upkeep_schedules
from orchestration.run_log import run_log
from orchestration.settings import Settings, load_settings


@definitions
def defs() -> Definitions:
    """The definitions of the home that the environment names."""
    settings = load_settings()
    prepare_manifest(settings)
    return build_definitions(settings, load_manifest(settings))


def build_definitions(
    settings: Settings, manifest: Mapping[str, Any], arrived_since: date | None = None
) -> Definitions:
    """The definitions of one home. arrived_since: a day of arrival that is wanted although it is
    older than those on offer. Raises IntentMapError for an unknown reporting time zone."""
    noted = manifest_vars(manifest)
    zone = noted["reporting_time_zone"]
    project_start = date.fromisoformat(noted["project_start_date"])
    today = datetime.now(time_zone(zone)).date()
    offered = first_day_offered(project_start, today, int(noted["arrival_days_offered"]))

    versions = quarters(project_start, zone)
    landing = build_landing_assets(
        settings, manifest, arrival_days(min(offered, arrived_since or offered), zone), versions
    )
    nightly_models, quarterly_models = build_dbt_assets(settings, manifest, versions)
    published = build_published_asset(
        settings,
        sorted(
            key
            for models in (nightly_models, quarterly_models)
            for key, group in models.group_names_by_key.items()
            if group == "marts"
        ),
    )
    dashboard = build_dashboard_asset(settings, published)
    health = build_health_checks(settings)
    jobs = build_jobs(landing, nightly_models, quarterly_models, [published, dashboard], health)
    upkeep = build_upkeep_jobs(settings)
    return Definitions(
        assets=[
            landing,
            *build_other_raw_assets(manifest),
            nightly_models,
            quarterly_models,
            published,
            dashboard,
        ],
        asset_checks=[health],
        jobs=[*jobs.all, *upkeep],
        schedules=[
            *build_schedules(settings, jobs, zone),
            *build_upkeep_schedules(settings, upkeep, zone),
        ],
        sensors=build_sensors(settings, jobs.nightly),
        loggers={"run_log": run_log},
        # steps write one file, so they run one after the other; a process each would cost seconds
        executor=in_process_executor,
    )
