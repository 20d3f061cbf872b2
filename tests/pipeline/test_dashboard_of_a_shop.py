"""The dashboard over the real marts: all that it reads is there, and its sums are theirs."""

import re
from datetime import UTC, datetime, time, timedelta

import duckdb
from pipeline.valued_home import VERSION, ValuedHome

from orchestration.dashboard import page_of
from orchestration.dashboard.wording import count, money
from orchestration.publishing import publish


def test_the_page_of_a_shop_leaves_nothing_out_and_sums_what_is_published(
    valued: ValuedHome,
) -> None:
    home = valued.home.copy("dashboard")
    home.take_up()
    publish(home.settings, "dashboard", report=lambda _: None)
    served = home.settings.serving / "intent_map.duckdb"
    with duckdb.connect(str(served), read_only=True) as connection:
        (day,) = connection.execute(
            "select max(date) from marts.mart_daily_values where sessions > 0"
        ).fetchone()
        sums = connection.execute(
            "select sum(sessions), sum(revenue), sum(expected_revenue) "
            "from marts.mart_daily_values where date between ? and ?",
            [day - timedelta(days=27), day],
        ).fetchone()
    html = page_of(home.settings, datetime.combine(day + timedelta(days=1), time(9), UTC))
    text = " ".join(re.sub("<[^>]+>", " ", html).split())
    assert "Left out" not in text
    assert f"Data up to {day:%A}, {day}" in text
    assert f"Value version {VERSION} is in force since" in text
    assert re.search(f" All channels {count(sums[0])} ", text)
    assert f" {money(sums[1])} {money(sums[2])} " in text
