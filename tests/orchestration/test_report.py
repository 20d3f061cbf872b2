"""The report prints what the serving file holds, within 100 columns, also when there is little."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from orchestration.errors import IntentMapError
from orchestration.report import WIDTH, money, percent, print_report, table
from orchestration.settings import PROJECT_ROOT, Settings

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)

MARTS = """
    create schema marts;
    create table marts.mart_daily_funnels (
        date date, channel_group varchar, impressions bigint, clicks bigint, sessions bigint,
        soft_sessions bigint, medium_sessions bigint, hard_sessions bigint, macro_sessions bigint,
        reached_soft bigint, reached_medium bigint, reached_hard bigint, reached_macro bigint
    );
    create table marts.mart_conversion_probabilities (
        value_version varchar, micro_conversion varchar, macro_conversion varchar,
        intent_class varchar, visitor_type varchar, trials bigint, probability double,
        probability_lower double, probability_upper double, lift double, verdict varchar
    );
    create table marts.mart_micro_values (
        value_version varchar, micro_conversion varchar, macro_conversion varchar,
        intent_class varchar, visitor_type varchar, valid_from date, valid_to date,
        probability double, tier_weight double, incremental_value double, value double,
        guardrail varchar
    );
    create table marts.mart_daily_values (
        date date, channel_group varchar, campaign varchar, sessions bigint,
        hard_conversions bigint, macro_conversions bigint, revenue decimal(18, 4),
        expected_revenue double, cost decimal(18, 4), value_version varchar default '2026-Q3'
    );
"""
RECEIPTS = """
    create schema intermediate;
    create schema raw;
    create table intermediate.int_event_receipts (
        source_system varchar, load_id bigint, row_number bigint, outcome varchar, reason varchar
    );
    create table raw.loads (
        load_id bigint, source varchar, file_name varchar, status varchar, reason varchar
    );
    create table raw.orders (order_id varchar);
    create table raw.ad_spend (date date);
"""
SEGMENTS = [
    ("(all)", "(all)", 41000),
    ("generic", "(all)", 30000),
    ("generic", "new", 20000),
    ("generic", "returning", 9000),
    ("brand", "new", 8000),
    ("social", "returning", 12),
]


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")
    settings.serving.mkdir()
    settings.warehouse.parent.mkdir()
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(MARTS)
    return settings


def fill_warehouse(settings):
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(RECEIPTS)
        connection.execute(
            """
            insert into intermediate.int_event_receipts
            select 'ga4', 1, n, 'accepted', null from range(1200) as rows (n)
            union all select 'generic', 1, n, 'duplicate', null from range(30) as rows (n)
            union all select 'generic', 2, n, 'refused', 'bot' from range(7) as rows (n)
            union all select 'generic', 3, n, 'refused', 'no_visitor' from range(9) as rows (n)
            """
        )
        connection.execute("insert into raw.orders select 'o' from range(42)")


def fill_marts(settings):
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(
            """
            insert into marts.mart_daily_funnels values
                (?, 'Paid Search', null, null, 4000, 2000, 500, 400, 100, 2000, 450, 350, 90),
                (?, 'Paid Search', 90000, 3000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            """,
            [date(2026, 5, 1), date(2026, 5, 2)],
        )
        for version, first_day in (("2026-Q2", date(2026, 4, 1)), ("2026-Q3", date(2026, 7, 1))):
            for micro, weight, rate in (
                ("cart_filled", 0.7, 0.31),
                ("a_much_longer_name", 0.1, 0.02),
            ):
                for intent_class, visitor_type, trials in SEGMENTS:
                    key = [version, micro, "purchase", intent_class, visitor_type]
                    connection.execute(
                        "insert into marts.mart_conversion_probabilities values "
                        "(?, ?, ?, ?, ?, ?, ?, ?, ?, 2.5, 'predictive')",
                        [*key, trials, rate, rate - 0.01, rate + 0.01],
                    )
                    connection.execute(
                        "insert into marts.mart_micro_values values "
                        "(?, ?, ?, ?, ?, ?, null, ?, ?, 1.5, ?, null)",
                        [*key, first_day, rate, weight, 80 * rate],
                    )
        connection.execute(
            """
            insert into marts.mart_daily_values values
                (?, 'Paid Search', 'a', 100, 10, 2, 160.5, 220.25, 100, default),
                (?, 'Paid Search', 'b', 50, 5, 1, 80, 60, 12.5, default),
                (?, 'Direct', '(none)', 30, 1, 0, 0, 9, null, default)
            """,
            [YESTERDAY] * 3,
        )


def printed(settings):
    lines = []
    print_report(settings, lines.append)
    return lines


def line_with(lines, start):
    return next(line.split() for line in lines if line.strip().startswith(start))


def test_unpublished_home_is_said_to_be_unpublished(tmp_path):
    with pytest.raises(IntentMapError, match=r"Nothing is published .* make nightly publishes"):
        print_report(Settings(home=tmp_path, seeds=tmp_path))


def test_serving_file_that_is_none_ends_in_a_sentence(settings):
    (settings.serving / "intent_map.duckdb").write_text("no database")
    with pytest.raises(IntentMapError, match="cannot be read"):
        print_report(settings)


def test_empty_marts_are_said_to_be_empty(settings):
    text = "\n".join(printed(settings))
    assert "nothing was read yet" in text
    assert "no session and no spend yet" in text
    assert "no micro-conversion is enabled, so nothing has a value" in text
    assert "no segment has a probability yet" in text
    assert "no day with data yet" in text


def test_rows_are_counted_by_outcome_and_reason(settings):
    fill_warehouse(settings)
    lines = printed(settings)
    assert line_with(lines, "ga4") == ["ga4", "1,200", "1,200", "0", "0"]
    assert line_with(lines, "generic") == ["generic", "46", "0", "30", "16"]
    assert line_with(lines, "all events") == ["all", "events", "1,246", "1,200", "30", "16"]
    assert "  refused: no_visitor 9, bot 7" in lines
    assert "  besides: 42 rows of orders, 0 rows of ad_spend" in lines


def test_files_set_aside_are_named_with_their_reason(settings):
    fill_warehouse(settings)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            "insert into raw.loads select n, 'ga4', n || '.parquet', 'set_aside', 'it is cut off' "
            "from range(7) as rows (n) union all select 8, 'ga4', 'good', 'landed', null"
        )
    lines = printed(settings)
    assert "  set aside: ga4/0.parquet: it is cut off" in lines
    assert sum("set aside: " in line for line in lines) == 5
    assert "  and 2 more files set aside, all in raw.loads" in lines


def test_without_an_event_other_rows_and_files_set_aside_are_told_all_the_same(settings):
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(RECEIPTS)
        connection.execute("insert into raw.ad_spend select '2026-03-01' from range(3) as rows (n)")
        connection.execute(
            "insert into raw.loads values (1, 'generic', 'a.csv', 'set_aside', 'It has no columns')"
        )
    assert printed(settings)[:4] == [
        "Rows read",
        "  no event was read yet",
        "  besides: 0 rows of orders, 3 rows of ad_spend",
        "  set aside: generic/a.csv: It has no columns",
    ]


def test_warehouse_that_a_run_holds_only_costs_the_counts(settings):
    settings.warehouse.write_text("no database")
    lines = printed(settings)
    assert any("not shown" in line for line in lines)
    assert any(line.startswith("Funnel") for line in lines)


def test_mart_that_is_missing_only_costs_its_section(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("drop table marts.mart_daily_funnels")
    lines = printed(settings)
    assert any("left out" in line and "mart_daily_funnels" in line for line in lines)
    assert any(line.startswith("Yesterday") for line in lines)


def test_funnel_sums_days_and_divides_sums_by_sums(settings):
    fill_marts(settings)
    lines = printed(settings)
    assert "Funnel, 2026-05-01 to 2026-05-02" in lines
    assert line_with(lines, "ad impressions")[2] == "90,000"
    assert line_with(lines, "with hard")[2:] == ["400", "10.0", "%", "350", "77.8", "%"]
    assert line_with(lines, "with macro")[2:] == ["100", "2.5", "%", "90", "25.7", "%"]


def test_only_the_latest_version_is_shown(settings):
    fill_marts(settings)
    titles = [line for line in printed(settings) if "in force from" in line]
    assert len(titles) == 2
    assert all(line.endswith("version 2026-Q3, in force from 2026-07-01") for line in titles)


def test_a_version_that_was_restated_is_said_to_be(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(
            "create table marts.mart_value_history as select value_version, n as restatement, "
            "now()::timestamp as known_from, 'why' as reason "
            "from marts.mart_micro_values, range(2) as writings (n)"
        )
    titles = [line for line in printed(settings) if "in force from" in line]
    assert len(titles) == 2
    assert all(line.endswith(", in force from 2026-07-01, restated") for line in titles)
    assert max(map(len, titles)) <= WIDTH


def test_before_any_version_the_configured_weights_are_shown_as_such(settings):
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(
            "insert into marts.mart_micro_values values ('(prior)', 'cart_filled', 'purchase', "
            "'(all)', '(all)', '0001-01-01', '9999-12-31', 0.7, 0.7, null, 56, 'no_history')"
        )
    lines = printed(settings)
    assert any(line.endswith("configured weights, no version written yet") for line in lines)
    cells = line_with(lines, "cart_filled")
    assert cells == ["cart_filled", "0", "70.0", "%", "-", "-", "-", "-", "56.00"]
    assert not any("guardrail" in line for line in lines)


def test_guardrail_that_acted_is_named_with_its_micro_conversions(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(
            "update marts.mart_micro_values set guardrail = "
            "if(micro_conversion = 'cart_filled', 'capped', 'none')"
        )
    guards = [line for line in printed(settings) if "the guardrail " in line]
    assert guards == ["  the guardrail capped set the value of cart_filled"]


def test_too_few_trials_are_said_to_set_no_value(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_micro_values set guardrail = 'minimum_trials'")
    lines = printed(settings)
    assert not any("the guardrail" in line for line in lines)
    assert (
        "  too few trials, so that mostly the configured weight speaks, of a_much_longer_name, "
        "cart_filled" in lines
    )


def test_each_goal_has_a_table_of_its_own_of_all_segments_and_of_each(settings):
    fill_marts(settings)
    fill_warehouse(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        for mart in ("mart_micro_values", "mart_conversion_probabilities"):
            connection.execute(
                f"insert into marts.{mart} select * replace (probability / 2 as probability, "
                f"'a_goal_with_quite_a_long_name' as macro_conversion) from marts.{mart}"
            )
    lines = printed(settings)
    goals = [line for line in lines if line.startswith("  goal ")]
    assert goals == ["  goal a_goal_with_quite_a_long_name", "  goal purchase"] * 2
    cells = [line.split() for line in lines if line.startswith("  cart_filled")]
    assert [line[2] for line in cells[:2]] == ["15.5", "31.0"]
    assert [line[1] for line in cells[2:]] == ["15.5", "31.0"]
    assert max(map(len, lines)) <= WIDTH


def test_micro_conversions_carry_probability_interval_and_value(settings):
    fill_marts(settings)
    cells = line_with(printed(settings), "cart_filled")
    assert cells[:7] == ["cart_filled", "41,000", "31.0", "%", "30.0-32.0", "%", "2.50"]
    assert "predictive" in cells and "24.80" in cells


def test_softer_micro_conversions_come_first(settings):
    fill_marts(settings)
    lines = printed(settings)
    soft = next(i for i, line in enumerate(lines) if "a_much_longer_name" in line)
    hard = next(i for i, line in enumerate(lines) if "cart_filled" in line)
    assert soft < hard


def test_segments_with_most_trials_are_shown_and_the_rest_counted(settings):
    fill_marts(settings)
    lines = printed(settings)
    start = next(i for i, line in enumerate(lines) if line.startswith("Per segment"))
    text = "\n".join(lines[start : start + 8])
    assert "generic, new" in text and "generic, returning" in text and "brand, new" in text
    assert "social" not in text
    assert "the 3 segments with most trials of 4" in text


def test_yesterday_sums_campaigns_per_channel(settings):
    fill_marts(settings)
    lines = printed(settings)
    assert f"Yesterday ({YESTERDAY}) per channel, in USD" in lines
    paid = line_with(lines, "Paid Search")
    assert paid == ["Paid", "Search", "150", "15", "3", "240.50", "280.25", "112.50", "2.49"]
    assert line_with(lines, "Direct")[-2:] == ["-", "-"]
    assert line_with(lines, "all channels")[2] == "180"


def test_names_from_the_data_are_short_and_cannot_act(settings):
    fill_marts(settings)
    fill_warehouse(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute(
            "update marts.mart_daily_values set channel_group = chr(27) || '[2J' || "
            "repeat('long ', 99) where channel_group = 'Direct'"
        )
    lines = printed(settings)
    assert max(map(len, lines)) <= WIDTH
    assert not any("\x1b" in line for line in lines)
    assert any(line.startswith("  \ufffd[2Jlong long") for line in lines)


def test_value_is_not_divided_by_cost_that_was_given_back(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set cost = -3 where cost is null")
    assert line_with(printed(settings), "Direct")[-2:] == ["-3.00", "-"]


def test_day_is_named_when_yesterday_has_no_data(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set date = date '2026-03-04'")
    assert "The last day with sessions (2026-03-04) per channel, in USD" in printed(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set sessions = 0")
    assert "The last day with data (2026-03-04) per channel, in USD" in printed(settings)


def test_spend_ahead_of_sessions_is_not_yesterday(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set date = date '2026-03-04'")
        connection.execute(
            "insert into marts.mart_daily_values (date, channel_group, sessions, cost) "
            "values (?, 'Paid Search', 0, 70)",
            [YESTERDAY],
        )
    lines = printed(settings)
    assert "The last day with sessions (2026-03-04) per channel, in USD" in lines
    assert line_with(lines, "all channels")[-2:] == ["112.50", "2.57"]


def test_values_of_configured_weights_are_not_set_beside_cost(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set value_version = '(prior)'")
    lines = printed(settings)
    assert line_with(lines, "Paid Search")[-3:] == ["280.25", "112.50", "-"]
    text = " ".join(" ".join(lines).split())
    assert "it ranks channels, and is no money to compare with revenue or cost" in text
    assert "expected to bring" not in text


def test_days_yet_to_come_are_not_yesterday(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as connection:
        connection.execute("update marts.mart_daily_values set date = date '2999-01-01'")
    assert "  no day with data yet" in printed(settings)


def test_lines_fit_the_page(settings):
    fill_marts(settings)
    fill_warehouse(settings)
    assert max(map(len, printed(settings))) <= WIDTH


def test_reader_of_an_open_serving_file_does_not_wait(settings):
    fill_marts(settings)
    with duckdb.connect(str(settings.serving / "intent_map.duckdb"), read_only=True):
        assert printed(settings)


def test_share_of_nothing_is_a_dash():
    assert percent(0, 0) == "-"
    assert percent(1, 8) == "12.5 %"


def test_money_has_two_places_and_thousands():
    assert money(None) == "-"
    assert money(1234.5) == "1,234.50"


def test_numbers_of_a_table_are_flush_right():
    assert table(("a", "n"), [("x", "5"), ("y", "500")]) == [
        "  a    n",
        "  -  ---",
        "  x    5",
        "  y  500",
    ]
