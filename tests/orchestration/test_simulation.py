"""The simulated shop: its files hold what its truth says, and the truth can be found in them."""

import csv
import gzip
import math
from collections import Counter
from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from orchestration import simulation
from orchestration.errors import IntentMapError
from orchestration.simulation import catalogue, landing_files, simulate, traffic

END = date(2026, 6, 30)
DAYS = 120
SHOP = {"end_date": END, "days": DAYS, "visitors": 8_000, "truth_visitors": 100_000, "seed": 3}
SMALL = {"end_date": END, "days": 60, "visitors": 600, "truth_visitors": 0, "seed": 3}

GENERIC = """
    CREATE TABLE generic AS
    SELECT * FROM read_csv(['{0}/generic/*.csv', '{0}/generic/*.csv.gz'],
        all_varchar = true, header = true, filename = true)
    UNION ALL BY NAME
    SELECT * REPLACE (properties::VARCHAR AS properties) FROM read_json('{0}/generic/*.jsonl',
        format = 'newline_delimited', filename = true, columns = {{event_id: 'VARCHAR',
        visitor_id: 'VARCHAR', user_id: 'VARCHAR', occurred_at: 'VARCHAR', sequence: 'VARCHAR',
        event_name: 'VARCHAR', page_url: 'VARCHAR', properties: 'JSON', value: 'VARCHAR',
        currency: 'VARCHAR', order_id: 'VARCHAR', source: 'VARCHAR', medium: 'VARCHAR',
        campaign: 'VARCHAR', gclid: 'VARCHAR', fbclid: 'VARCHAR', device_category: 'VARCHAR',
        country: 'VARCHAR', user_agent: 'VARCHAR', consent_analytics: 'VARCHAR',
        consent_ads: 'VARCHAR', loaded_at: 'VARCHAR'}})
    UNION ALL BY NAME
    SELECT * REPLACE (occurred_at::VARCHAR AS occurred_at, sequence::VARCHAR AS sequence,
        value::VARCHAR AS value) FROM read_parquet('{0}/generic/*.parquet', filename = true)
"""
GA4 = "CREATE TABLE ga4 AS SELECT * FROM read_parquet('{0}/ga4/*.parquet', filename = true)"
PARAM = "list_filter(event_params, lambda x: x.key = '{0}')[1].value.{1}"

# One row per true event of a consenting person, in the shop's own words. Repeated orders are the
# one fault that only their time tells: the second one is dropped.
CLEAN = f"""
    CREATE TABLE clean AS
    WITH both_sources AS (
        SELECT visitor_id, user_id, try_cast(occurred_at AS TIMESTAMP) AS occurred_at,
            sequence::INTEGER AS sequence, CASE event_name WHEN 'product_view' THEN 'view_item'
                WHEN 'cart_add' THEN 'add_to_cart' ELSE event_name END AS event_name,
            (properties->>'percent_scrolled')::INTEGER AS scrolled,
            (properties->>'video_percent')::INTEGER AS watched, order_id, event_id AS event_key,
            CASE WHEN source IS NULL AND gclid IS NOT NULL THEN 'google' ELSE source END AS source,
            CASE WHEN source IS NULL AND gclid IS NOT NULL THEN 'cpc' ELSE medium END AS medium,
            campaign
        FROM generic
        WHERE consent_analytics = 'granted' AND user_agent NOT ILIKE '%bot%'
            AND (value IS NULL OR try_cast(value AS DOUBLE) IS NOT NULL)
        UNION ALL
        SELECT user_pseudo_id, user_id, make_timestamp(event_timestamp),
            ((batch_ordering_id - 1) * 4 + batch_event_index - 1)::INTEGER,
            CASE event_name WHEN 'view_search_results' THEN 'search' ELSE event_name END,
            {PARAM.format("percent_scrolled", "int_value")},
            {PARAM.format("video_percent", "int_value")}, ecommerce.transaction_id,
            md5(user_pseudo_id || event_timestamp || event_name || batch_ordering_id
                || batch_event_index || event_params::VARCHAR),
            CASE WHEN collected_traffic_source.manual_source IS NULL
                AND collected_traffic_source.gclid IS NOT NULL THEN 'google'
                ELSE collected_traffic_source.manual_source END,
            CASE WHEN collected_traffic_source.manual_source IS NULL
                AND collected_traffic_source.gclid IS NOT NULL THEN 'cpc'
                ELSE collected_traffic_source.manual_medium END,
            collected_traffic_source.manual_campaign_name
        FROM ga4
        WHERE privacy_info.analytics_storage = 'Yes'
    ), once_each AS (
        SELECT DISTINCT * FROM both_sources
        WHERE visitor_id IS NOT NULL AND occurred_at BETWEEN '2015-01-01' AND '2027-01-01'
    )
    SELECT *, max(user_id) OVER (PARTITION BY visitor_id) AS login
    FROM once_each
    QUALIFY event_name != 'purchase' OR order_id = '(not set)'
        OR row_number() OVER (PARTITION BY event_name, order_id ORDER BY occurred_at) = 1
"""
SESSIONS = """
    CREATE TABLE visits AS
    SELECT *, coalesce(login, visitor_id) AS person,
        sum(is_start::INTEGER)
            OVER (PARTITION BY visitor_id ORDER BY occurred_at, sequence) AS visit
    FROM (
        SELECT *, coalesce(occurred_at > lag(occurred_at) OVER (
            PARTITION BY visitor_id ORDER BY occurred_at, sequence) + INTERVAL 30 MINUTE, true)
            AS is_start
        FROM clean
    )
"""


def landed(connection, folder):
    connection.execute(GENERIC.format(folder))
    connection.execute(GA4.format(folder))
    return connection


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("shop"), **SHOP, report=lambda line: None)


@pytest.fixture(scope="module")
def connection(shop):
    connection = landed(duckdb.connect(), shop.landing)
    connection.execute(CLEAN)
    connection.execute(SESSIONS)
    yield connection
    connection.close()


def one(connection, query):
    return connection.execute(query).fetchone()[0]


def truth(shop, name):
    with (shop.truth / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def probability(shop, micro, intent="(all)", visitor_type="(all)"):
    return next(
        row
        for row in truth(shop, "segment_probabilities")
        if (row["micro_conversion"], row["intent_class"], row["visitor_type"])
        == (micro, intent, visitor_type)
    )


def all_rows(folder):
    """Every file below the folder with its rows in their order, Parquet and text alike."""
    content = {}
    connection = duckdb.connect()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            content[name] = connection.execute(f"FROM '{path}'").fetchall()
        elif path.suffix == ".gz":
            content[name] = gzip.decompress(path.read_bytes())
        else:
            content[name] = path.read_bytes()
    return content


@pytest.fixture(scope="module")
def small_rows(tmp_path_factory):
    out = tmp_path_factory.mktemp("small")
    simulate(out, **SMALL, report=lambda line: None)
    return all_rows(out)


def test_the_same_arguments_give_the_same_rows(small_rows, tmp_path):
    simulate(tmp_path, **SMALL, report=lambda line: None)
    assert all_rows(tmp_path) == small_rows


def test_another_seed_gives_other_rows(small_rows, tmp_path):
    simulate(tmp_path, **SMALL | {"seed": 4}, report=lambda line: None)
    other = all_rows(tmp_path)
    same = [name for name in small_rows if other.get(name) == small_rows[name]]
    # only what the generator was told, and not drew, is the same
    assert set(same) <= {f"simulation_truth/{n}" for n in ("README.md", "state_probabilities.csv")}


def test_each_visitor_is_in_exactly_one_source(connection):
    generic = set(
        connection.execute(
            "SELECT DISTINCT ('0x' || visitor_id[2:])::UBIGINT FROM generic "
            "WHERE visitor_id IS NOT NULL AND user_agent NOT ILIKE '%bot%'"
        ).fetchall()
    )
    ga4 = set(
        connection.execute(
            "SELECT DISTINCT split_part(user_pseudo_id, '.', 1)::UBIGINT * 4294967296 "
            "+ split_part(user_pseudo_id, '.', 2)::UBIGINT FROM ga4 "
            "WHERE user_pseudo_id IS NOT NULL"
        ).fetchall()
    )
    assert not generic & ga4
    assert 0.6 < len(ga4) / len(ga4 | generic) < 0.8


def test_some_people_are_one_user_on_two_visitors(connection):
    query = """SELECT count(*) FROM (SELECT login FROM clean WHERE login IS NOT NULL
        GROUP BY login HAVING count(DISTINCT visitor_id) > 1)"""
    assert one(connection, query) > 20


def test_rows_are_counted_as_they_stand_in_the_files(shop, connection):
    assert shop.rows["generic"] == one(connection, "SELECT count(*) FROM generic")
    assert shop.rows["ga4"] == one(connection, "SELECT count(*) FROM ga4")
    for name in ("ad_spend", "orders"):
        files = shop.landing / name / "*.csv"
        assert shop.rows[name] == one(connection, f"SELECT count(*) FROM '{files}'")


FILE_START = "strptime(regexp_extract(filename, '_(\\d{8})_', 1), '%Y%m%d')"
TIME_OK = "time > '2015-01-01' AND time < '2027-01-01'"
COUNTED = {
    ("duplicate", "generic"): "SELECT count(*) - count(DISTINCT event_id) FROM generic",
    ("duplicate", "ga4"): """SELECT count(*) - (SELECT count(*) FROM
        (SELECT DISTINCT * EXCLUDE (filename) FROM ga4)) FROM ga4""",
    ("bot", "generic"): "SELECT count(*) FROM generic WHERE user_agent ILIKE '%bot%'",
    ("consent_refused", "generic"): """SELECT count(*) FROM generic
        WHERE consent_analytics = 'denied'""",
    ("consent_refused", "ga4"): """SELECT count(*) FROM ga4
        WHERE privacy_info.analytics_storage = 'No' AND user_pseudo_id IS NULL""",
    ("missing_visitor", "generic"): "SELECT count(*) FROM generic WHERE visitor_id IS NULL",
    ("missing_visitor", "ga4"): """SELECT count(*) FROM ga4
        WHERE user_pseudo_id IS NULL AND privacy_info.analytics_storage = 'Yes'""",
    ("time_1970", "generic"): "SELECT count(*) FROM generic WHERE occurred_at LIKE '1970-%'",
    ("time_1970", "ga4"): "SELECT count(*) FROM ga4 WHERE event_date LIKE '1970%'",
    ("time_2100", "generic"): "SELECT count(*) FROM generic WHERE occurred_at LIKE '2100-%'",
    ("time_2100", "ga4"): "SELECT count(*) FROM ga4 WHERE event_date LIKE '2100%'",
    ("unreadable_time", "generic"): """SELECT count(*) FROM generic
        WHERE try_cast(occurred_at AS TIMESTAMP) IS NULL""",
    ("unreadable_value", "generic"): """SELECT count(*) FROM generic
        WHERE value IS NOT NULL AND try_cast(value AS DOUBLE) IS NULL""",
    ("order_id_not_set", "generic"): "SELECT count(*) FROM generic WHERE order_id = '(not set)'",
    ("order_id_not_set", "ga4"): """SELECT count(*) FROM ga4
        WHERE event_name = 'purchase' AND ecommerce.transaction_id = '(not set)'""",
    ("order_id_repeated", "generic"): """SELECT count(DISTINCT event_id)
        - count(DISTINCT order_id) FROM generic WHERE event_name = 'purchase'""",
    ("order_id_repeated", "ga4"): """SELECT count(DISTINCT (event_timestamp, order_id))
        - count(DISTINCT order_id) FROM (SELECT *, ecommerce.transaction_id AS order_id FROM ga4)
        WHERE event_name = 'purchase' AND order_id != '(not set)'""",
    ("unknown_event_name", "generic"): """SELECT count(*) FROM generic
        WHERE event_name = 'chat_opened'""",
    ("unknown_event_name", "ga4"): "SELECT count(*) FROM ga4 WHERE event_name = 'chat_opened'",
    ("click_id_only", "generic"): """SELECT count(*) FROM generic
        WHERE gclid IS NOT NULL AND source IS NULL AND consent_analytics = 'granted'""",
    ("click_id_only", "ga4"): """SELECT count(*) FROM ga4
        WHERE collected_traffic_source.gclid IS NOT NULL
        AND collected_traffic_source.manual_source IS NULL""",
    ("late", "generic"): f"""SELECT count(*) FROM (SELECT event_id, min({FILE_START}) AS file_start,
        min(try_cast(occurred_at AS TIMESTAMP)) AS time FROM generic
        WHERE visitor_id IS NOT NULL AND (value IS NULL OR value NOT LIKE 'EUR%') GROUP BY ALL)
        WHERE time < file_start AND {TIME_OK}""",
    ("late", "ga4"): f"""SELECT count(*) FROM (SELECT * EXCLUDE (filename),
        min({FILE_START}) AS file_start, make_timestamp(event_timestamp) AS time FROM ga4
        WHERE NOT (user_pseudo_id IS NULL AND privacy_info.analytics_storage = 'Yes') GROUP BY ALL)
        WHERE time < file_start AND {TIME_OK}""",
}


def test_dirt_is_counted_as_it_stands_in_the_files(shop, connection):
    told = {(row["kind"], row["source"]): int(row["rows"]) for row in truth(shop, "dirt")}
    found = {key: one(connection, query) for key, query in COUNTED.items()}
    assert found == told
    assert all(count > 0 for key, count in told.items() if key != ("order_id_not_set", "generic"))


def test_sessions_by_the_thirty_minute_rule_are_the_sessions_of_the_shop(connection):
    by_source = """SELECT count(DISTINCT (user_pseudo_id, {0})) FROM ga4
        WHERE user_pseudo_id IS NOT NULL AND make_timestamp(event_timestamp)
            BETWEEN '2015-01-01' AND '2027-01-01'"""
    told = one(connection, by_source.format(PARAM.format("ga_session_id", "int_value")))
    by_rule = "SELECT count(DISTINCT (visitor_id, visit)) FROM visits WHERE visitor_id LIKE '%.%'"
    repeats = one(connection, COUNTED["order_id_repeated", "ga4"])
    assert one(connection, by_rule) == told - repeats


TRIALS = {
    "product_viewed": "event_name = 'view_item'",
    "deep_scroll": "event_name = 'scroll' AND scrolled >= 75",
    "video_half": "event_name = 'video_progress' AND watched >= 50",
    "cart_filled": "event_name = 'add_to_cart'",
    "payment_info_added": "event_name = 'add_payment_info'",
}


def observed(connection, condition):
    """Trials that have had their 30 days, and how many of them succeeded."""
    return connection.execute(
        f"""
        WITH trials AS (
            SELECT visitor_id, visit, any_value(person) AS person,
                min((occurred_at, sequence)) AS moment
            FROM visits WHERE {condition} GROUP BY visitor_id, visit
        ), mature AS (
            SELECT * FROM trials WHERE moment[1] < DATE '{END + timedelta(days=1 - 30)}'
        )
        SELECT count(*), count(*) FILTER (WHERE EXISTS (
            SELECT 1 FROM visits AS p WHERE p.event_name = 'purchase' AND p.person = mature.person
                AND (p.occurred_at, p.sequence) > mature.moment
                AND p.occurred_at <= mature.moment[1] + INTERVAL 30 DAY)) FROM mature
        """
    ).fetchone()


@pytest.mark.parametrize("micro", TRIALS)
def test_the_true_probability_is_found_in_the_files(shop, connection, micro):
    trials, successes = observed(connection, TRIALS[micro])
    told = probability(shop, micro)
    p = float(told["probability"])
    error = math.hypot(float(told["standard_error"]), math.sqrt(p * (1 - p) / trials))
    assert abs(successes / trials - p) < 4 * error


def test_the_segments_can_be_read_from_the_files(shop, connection):
    found = connection.execute("""
        SELECT intent, CASE visit WHEN 1 THEN 'new' ELSE 'returning' END, count(*)
        FROM (
            SELECT visitor_id, visit, CASE
                WHEN arg_min(source, sequence) IS NULL THEN 'direct'
                WHEN arg_min(medium, sequence) = 'email' THEN 'email'
                WHEN arg_min(medium, sequence) LIKE '%social' THEN 'social'
                WHEN arg_min(medium, sequence) IN ('referral', 'display') THEN 'other'
                WHEN arg_min(campaign, sequence) = 'brand_search' THEN 'brand'
                ELSE 'generic' END AS intent
            FROM visits GROUP BY visitor_id, visit
        )
        GROUP BY ALL
    """).fetchall()
    visits = sum(count for *_, count in found)
    every = int(probability(shop, "(any session)")["trials"])
    assert len(found) == 12
    for intent, visitor_type, count in found:
        told = int(probability(shop, "(any session)", intent, visitor_type)["trials"]) / every
        assert count / visits == pytest.approx(told, abs=4 * math.sqrt(told / visits))


def test_conversion_rates_are_those_of_a_shop(shop, connection):
    orders = one(connection, "SELECT count(*) FROM clean WHERE event_name = 'purchase'")
    visits = one(connection, "SELECT count(DISTINCT (visitor_id, visit)) FROM visits")
    assert 0.018 < orders / visits < 0.03
    assert 0.25 < float(probability(shop, "cart_filled")["probability"]) < 0.36


def test_the_gallery_says_nothing_and_the_video_says_much(shop):
    def lift(micro):
        row = probability(shop, micro)
        return float(row["probability"]) / float(row["probability_without"])

    assert lift("gallery_browsed") == pytest.approx(1, abs=0.12)
    assert lift("video_half") > 1.4


def test_the_gallery_changes_no_state_and_the_video_changes_the_odds(shop):
    rows = truth(shop, "state_probabilities")
    known = {
        (frozenset(row["state"].split("+")), row["intent_class"], row["visitor_type"]): float(
            row["probability"]
        )
        for row in rows
    }
    compared = Counter()
    for (state, *segment), p in known.items():
        for micro, odds_ratio in (("gallery_browsed", 1.0), ("video_half", math.exp(1.2))):
            other = known.get((state | {micro}, *segment))
            if micro in state or other is None:
                continue
            assert other / (1 - other) == pytest.approx(odds_ratio * p / (1 - p))
            compared[micro] += 1
    assert min(compared.values()) > 1000


def test_gallery_visits_are_as_frequent_in_every_intent_class(shop):
    shares = []
    for intent in ("brand", "generic", "social", "direct"):
        base = int(probability(shop, "(any session)", intent)["trials"])
        shares.append(int(probability(shop, "gallery_browsed", intent)["trials"]) / base)
    assert max(shares) - min(shares) < 0.02


def test_orders_come_back_later_and_mostly_within_days(shop, connection):
    delays = {(r["micro_conversion"], int(r["days"])): r for r in truth(shop, "delays")}
    later = float(delays["(decided earlier)", 5]["cumulative_share"])
    assert later == pytest.approx((1 - math.exp(-1)) / (1 - math.exp(-6)))
    cart = [float(delays["cart_filled", day]["cumulative_share"]) for day in (1, 7, 30)]
    assert 0.5 < cart[0] < cart[1] < cart[2] == pytest.approx(1)


def test_some_purchases_share_their_clock_with_the_step_before(connection):
    query = """SELECT count(*), bool_and(p.sequence > s.sequence) FROM clean AS p
        JOIN clean AS s USING (visitor_id, occurred_at)
        WHERE p.event_name = 'purchase' AND s.event_name = 'add_payment_info'"""
    ties, in_sequence = connection.execute(query).fetchone()
    assert ties > 5
    assert in_sequence


def test_the_ga4_export_is_nested_and_its_values_are_integers_or_doubles(connection):
    types = dict(r[:2] for r in connection.execute("DESCRIBE ga4").fetchall())
    assert types["event_params"].startswith('STRUCT("key" VARCHAR, "value" STRUCT(')
    for column in ("device", "geo", "privacy_info", "ecommerce", "collected_traffic_source"):
        assert types[column].startswith("STRUCT(")
    value = [PARAM.format("value", kind) for kind in ("int_value", "double_value")]
    whole, real = connection.execute(
        f"SELECT count({value[0]}), count({value[1]}) FROM ga4 WHERE event_name = 'add_to_cart'"
    ).fetchone()
    assert whole > 0
    assert real > whole
    own_events = {"session_start", "first_visit", "user_engagement"}
    names = {row[0] for row in connection.execute("SELECT DISTINCT event_name FROM ga4").fetchall()}
    assert own_events < names
    landing = f"SELECT count(*) FROM ga4 WHERE {PARAM.format('entrances', 'int_value')} = 1"
    assert one(connection, landing) > 0


def test_generic_files_come_in_every_format(shop):
    endings = Counter(path.name.split(".", 1)[1] for path in (shop.landing / "generic").iterdir())
    assert set(endings) == {"csv", "csv.gz", "jsonl", "parquet"}


def test_no_truth_lies_among_the_landing_files(shop):
    assert not shop.truth.is_relative_to(shop.landing)
    folders = {path.name for path in shop.landing.iterdir()}
    assert folders == {"generic", "ga4", "ad_spend", "orders"}
    truth_names = {path.name for path in shop.truth.iterdir()}
    assert not truth_names & {path.name for path in shop.landing.rglob("*")}
    assert "SIMULATED" in (shop.truth / "README.md").read_text(encoding="utf-8")


def test_outages_are_counted_and_lose_about_the_planted_share(shop, connection):
    outages = truth(shop, "outages")
    assert len(outages) == 2
    for row in outages:
        query = """SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE (filename) FROM ga4
            WHERE event_name = ? AND event_date = ?)"""
        found = connection.execute(query, [row["event_name"], row["day"].replace("-", "")])
        assert row["source"] == "ga4"
        assert found.fetchone()[0] == int(row["rows_landed"])
    kept = sum(int(row["rows_landed"]) for row in outages)
    assert kept / sum(int(row["rows_without_outage"]) for row in outages) < 0.6


def test_constant_spend_is_constant_and_untracked_spend_has_no_sessions(shop, connection):
    spend = f"FROM '{shop.landing / 'ad_spend' / '*.csv'}'"
    levels = dict(
        connection.execute(f"SELECT campaign, count(DISTINCT cost) {spend} GROUP BY 1").fetchall()
    )
    assert levels.pop("generic_search_bing") == 1
    assert levels.pop("podcast_sponsoring") == 1
    assert all(count > DAYS / 3 for count in levels.values())
    seen = {row[0] for row in connection.execute("SELECT DISTINCT campaign FROM clean").fetchall()}
    assert "podcast_sponsoring" not in seen
    assert "creator_clips" in seen - set(levels)


def test_clicks_answer_to_spend_with_the_true_elasticity():
    rng = np.random.default_rng(1)
    days = 28 * 7
    plan = traffic.plan_traffic(END - timedelta(days=days), days, rng)
    arrivals = np.diff(traffic.draw_arrivals(plan, 1_000_000, rng), prepend=0)
    rows = traffic.spend_rows(plan, arrivals.reshape(days, -1).T, 1_000_000, rng)
    for number, campaign in enumerate(catalogue.CAMPAIGNS):
        if campaign.spend_sd == 0:
            continue
        mine = rows["campaign"] == number
        clicks, cost = (np.log(rows[x][mine].reshape(28, 7).sum(1)) for x in ("clicks", "cost"))
        # beside the shop's own growth
        terms = np.column_stack([np.ones(28), np.arange(28), cost])
        slope = np.linalg.lstsq(terms, clicks, rcond=None)[0][2]
        assert slope == pytest.approx(campaign.elasticity, abs=0.1)


def test_orders_know_every_order_id_of_the_events(shop, connection):
    orders = f"FROM '{shop.landing / 'orders' / '*.csv'}'"
    query = f"""SELECT count(*) FROM clean WHERE event_name = 'purchase'
        AND order_id != '(not set)' AND order_id NOT IN (SELECT order_id {orders})"""
    assert one(connection, query) == 0
    assert one(connection, f"SELECT count(*) - count(DISTINCT order_id) {orders}") == 0
    refunded, all_orders = connection.execute(
        f"SELECT count(*) FILTER (WHERE status = 'refunded'), count(*) {orders}"
    ).fetchone()
    assert 0 < refunded < all_orders / 20


def test_a_run_in_pieces_holds_each_event_once(tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "_SESSIONS_PER_CHUNK", 300)
    monkeypatch.setattr(landing_files, "MAXIMUM_WAITING_ROWS", 800)
    monkeypatch.setattr(landing_files, "MAXIMUM_FILE_ROWS", 300)
    monkeypatch.setattr(catalogue, "DUPLICATE_SHARE", 0)
    lines = []
    shop = simulate(tmp_path, **SMALL, report=lines.append)
    connection = landed(duckdb.connect(), shop.landing)
    assert any("part2" in path.name for path in shop.landing.rglob("*"))
    assert lines[:2] == ["Simulated 200 of 600 people.", "Simulated 400 of 600 people."]
    assert one(connection, "SELECT count(*) FROM generic") == shop.rows["generic"]
    # each of the three pieces still plants the one duplicate that small runs are to see
    doubled = "SELECT count(*) - count(DISTINCT event_id) FROM generic"
    assert one(connection, doubled) == 3


def test_the_rows_wait_only_as_long_as_later_arrivals_can_still_come(tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "_SESSIONS_PER_CHUNK", 300)
    shop = simulate(tmp_path, **SMALL, report=lambda line: None)
    assert not any("part2" in path.name for path in shop.landing.rglob("*"))


def test_heavy_users_are_few_visitors_with_many_events(tmp_path):
    arguments = SMALL | {"visitors": 60, "heavy_users": True, "ga4_share": 0.0}
    shop = simulate(tmp_path, **arguments, report=lambda line: None)
    assert shop.rows["ga4"] == 0
    assert shop.rows["generic"] / 60 > 150


@pytest.mark.parametrize("ga4_share", [0.0, 1.0])
def test_a_shop_of_one_visitor_and_one_day_is_written(tmp_path, ga4_share):
    arguments = SMALL | {"visitors": 1, "days": 1, "truth_visitors": 10, "ga4_share": ga4_share}
    shop = simulate(tmp_path, **arguments, report=lambda line: None)
    assert shop.rows["ga4"] + shop.rows["generic"] > 0
    assert len(truth(shop, "segment_probabilities")) == 11 * 19


def test_other_data_in_the_landing_folder_is_refused(tmp_path):
    mine = tmp_path / "landing" / "generic" / "mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("visitor_id,occurred_at,event_name\n", encoding="utf-8")
    with pytest.raises(IntentMapError, match=r"mine\.csv"):
        simulate(tmp_path, **SMALL, report=lambda line: None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


@pytest.mark.parametrize(
    "wrong",
    [
        {"visitors": 0},
        {"days": 0},
        {"seed": -1},
        {"ga4_share": 1.5},
        {"generic_formats": ("xlsx",)},
    ],
)
def test_an_impossible_argument_is_named(tmp_path, wrong):
    with pytest.raises(IntentMapError, match=next(iter(wrong))):
        simulate(tmp_path, **SMALL | wrong, report=lambda line: None)
