"""The services of deploy/ for real, on PostgreSQL, in one group of processes without systemd."""

import time

import pytest
from pipeline.killed import check_served
from running_dagster import Services

pytest_plugins = ["postgres_server"]

NIGHTLY = "nightly_refresh"


@pytest.mark.deep
def test_services_that_start_at_once_find_the_run_that_went_down_with_them(tmp_path, postgres):
    home = tmp_path / "home"
    (home / "landing" / "generic").mkdir(parents=True)
    (home / "landing" / "generic" / "a.csv").write_text(
        "visitor_id,occurred_at,event_name\nv1,2026-01-05 10:00:00,page_view\n", encoding="utf-8"
    )
    services = started(home, tmp_path / "log", postgres)
    try:
        killed = services.launch(NIGHTLY)
        assert services.wait_for(killed, ("STARTED", "SUCCESS", "FAILURE")) == "STARTED"
        time.sleep(2)
        services.kill()
        services = started(home, tmp_path / "log", postgres)
        night = services.launch(NIGHTLY)
        assert services.wait_for(night) == "SUCCESS", services.said(night)
        assert services.status(killed) == "FAILURE"
        assert "is gone: it was killed" in services.said(killed)
        check_served(home / "serving")
    finally:
        services.end()
    # the state is in PostgreSQL, what steps print is in the home
    assert postgres.query("select count(*) from runs where status = 'SUCCESS'") == [(1,)]
    assert not (home / "dagster" / "history").exists()


def started(home, log, postgres):
    services = Services(home, log, **postgres.variables)
    services.wait()
    services.wait_for_code()
    return services
