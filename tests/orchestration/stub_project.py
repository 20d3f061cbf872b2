"""A dbt project of a few lines in a temporary folder, shaped like the real one.

Belongs here: the project that tests of running dbt and Dagster share; a real one takes ten times
as long. Does not belong here: what the real models compute.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import dbt_runner, policy
from orchestration.settings import PROJECT_ROOT, Settings

FILES = {
    "dbt_project/dbt_project.yml": """
        name: intent_map
        version: "0.1.0"
        profile: intent_map
        model-paths: [models]
        macro-paths: [macros]
        seed-paths: ["{{ env_var('INTENT_MAP_SEEDS', '../seeds') }}"]
        test-paths: ["../tests/dbt"]
        flags: {send_anonymous_usage_stats: false, require_generic_test_arguments_property: true}
        on-run-start: ["{{ create_declared_tables() }}"]
        models:
          intent_map:
            staging: {+schema: staging, +materialized: view}
            intermediate: {+schema: intermediate}
            valuation: {+schema: valuation}
            marts: {+schema: marts, +materialized: table}
        seeds: {intent_map: {+schema: seeds}}
        vars:
          reporting_time_zone: Europe/Prague
          reporting_currency: CZK
          project_start_date: "2026-01-01"
          arrival_days_offered: 36500
          late_event_hours: 24
          horizon_days: 30
          version_date: null
          policy: {horizon_days: {minimum: 0, maximum: 365, reason: Long enough.}}
        """,
    "dbt_project/macros/generate_schema_name.sql": """
        {% macro generate_schema_name(custom_schema_name, node) -%}
            {{ custom_schema_name or target.schema }}
        {%- endmacro %}
        """,
    "dbt_project/macros/create_declared_tables.sql": """
        {% macro create_declared_tables() %}
            create schema if not exists raw;
            create table if not exists raw.generic_events (visitor_id varchar);
            create schema if not exists valuation;
            create table if not exists valuation.val_versions (valid_from date, sessions bigint)
        {% endmacro %}
        """,
    "dbt_project/models/staging/sources.yml": """
        sources:
          - name: raw
            schema: raw
            tables:
              - {name: generic_events, description: Events as they came.}
              - {name: watermarks, description: Notes of the models.}
        """,
    "dbt_project/models/staging/stg_generic__events.sql": """
        select * from {{ source('raw', 'generic_events') }}
        """,
    "dbt_project/models/intermediate/int_sessions.sql": """
        {{ config(materialized='incremental') }}
        select
            visitor_id,
            rules.rule,
            {{ var('horizon_days') }} as horizon,
            timestamp '2026-05-01' as started_at
        from {{ ref('stg_generic__events') }}
        left join {{ ref('rules') }} as rules on rules.rule = visitor_id
        {% if is_incremental() %}
        where visitor_id not in (select visitor_id from {{ this }})
        {% endif %}
        """,
    "dbt_project/models/valuation/val_versions.sql": """
        {{ config(materialized='incremental', tags=['quarterly'], full_refresh=false) }}
        select cast('{{ var("version_date") }}' as date) as valid_from, count(*) as sessions
        from {{ ref('int_sessions') }}
        {% if is_incremental() %}
        having cast('{{ var("version_date") }}' as date) not in (select valid_from from {{ this }})
        {% endif %}
        """,
    "dbt_project/models/marts/mart_sessions.sql": """
        select visitor_id, horizon from {{ ref('int_sessions') }}
        """,
    "dbt_project/models/marts/mart_values.sql": """
        select versions.valid_from, versions.sessions, labels.label
        from {{ ref('val_versions') }} as versions
        left join {{ ref('labels') }} as labels on true
        """,
    "dbt_project/models/marts/marts.yml": """
        models:
          - name: mart_sessions
            description: One row per session.
            columns:
              - {name: visitor_id, data_tests: [not_null, unique]}
          - name: mart_values
            description: One row per version.
            columns:
              - {name: valid_from, data_tests: [not_null]}
        """,
    "tests/dbt/mart_values__is_never_before_1970.sql": """
        select * from {{ ref('mart_values') }}, {{ ref('mart_sessions') }}
        where valid_from < date '1970-01-01'
        """,
    "seeds/rules.csv": "rule,weight\nv1,1\n",
    "seeds/labels.csv": "label\nfirst\n",
}


class StubProject:
    """The folder of one project, and homes beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, textwrap.dedent(text).strip("\n") + "\n")
        self.write("profiles.yml", (PROJECT_ROOT / "profiles.yml").read_text(encoding="utf-8"))

    def restore(self) -> None:
        """Undo what a test wrote; one home can then serve several tests, and dbt parses once."""
        for path in [*self.folder.rglob("*.sql"), *self.folder.rglob("*.yml")]:
            name = path.relative_to(self.folder).as_posix()
            if name not in FILES and name != "profiles.yml":
                path.unlink()
        for name, text in FILES.items():
            text = textwrap.dedent(text).strip("\n") + "\n"
            if (self.folder / name).read_text(encoding="utf-8") != text:
                self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Write one file; name: as in FILES."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def settings(self, **changes: Any) -> Settings:
        """Settings of the home beside the project."""
        home = self.folder.parent / "heim mit ümlaut"
        return Settings(**{"home": home, "seeds": self.folder / "seeds", **changes})


def put_in_force(stub: StubProject, patch: pytest.MonkeyPatch) -> None:
    """Make the modules under test take the stub for the real project."""
    patch.setattr(dbt_runner, "PROJECT_DIR", stub.folder / "dbt_project")
    patch.setattr(dbt_runner, "PROFILES_DIR", stub.folder)
    patch.setattr(dbt_runner, "SHIPPED_SEEDS", stub.folder / "seeds")
    patch.setattr(dbt_runner, "TESTS_DIR", stub.folder / "tests" / "dbt")
    patch.setattr(policy, "PROJECT_FILE", stub.folder / "dbt_project" / "dbt_project.yml")
    for name in ("INTENT_MAP_HOME", "INTENT_MAP_SEEDS", "INTENT_MAP_VARS", "DAGSTER_HOME"):
        patch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StubProject:
    """A fresh stub project, in force for one test."""
    stub = StubProject(tmp_path / "stub")
    put_in_force(stub, monkeypatch)
    return stub


@pytest.fixture(scope="module")
def lasting_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubProject]:
    """One stub project, in force for all tests of a module."""
    stub = StubProject(tmp_path_factory.mktemp("lasting") / "stub")
    with pytest.MonkeyPatch.context() as patch:
        put_in_force(stub, patch)
        yield stub
