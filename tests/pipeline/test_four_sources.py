"""All four sources in one night: each act under its one name; bad input costs only itself."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pipeline.homes import Home, Workshop

NOON = datetime(2026, 1, 5, 12)
EPOCH = 1767614400
PAGE = "https://shop.example/?gclid=G1"
TEN_MEGABYTES = "x" * 10_000_000
TIMES = {
    "seconds": EPOCH,
    "seconds_as_text": str(EPOCH),
    "milliseconds": EPOCH * 1000,
    "microseconds": EPOCH * 1_000_000,
    "zone": "2026-01-05T14:00:00+02:00",
    "of_1970": 0,
    "of_2100": "2100-01-01",
    "empty": "",
    "word": "soon",
    "beyond": "9" * 30,
}
REFUSED_TIMES = {
    "of_1970": "before_project_start",
    "of_2100": "in_the_future",
    "empty": "no_time",
    "word": "unreadable_time",
    "beyond": "unreadable_time",
}
# source → names of id and time, the least that an event needs, the names of address and money
FORMS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "generic": (
        *("event_id", "occurred_at", {"visitor_id": "v", "event_name": "purchase"}),
        *("page_url", "value"),
    ),
    "snowplow": (
        *("event_id", "collector_tstamp", {"domain_userid": "v", "event": "transaction"}),
        *("page_url", "tr_total"),
    ),
    "segment": (
        *("id", "timestamp", {"anonymous_id": "v", "event": "order_completed"}),
        *("context_page_url", "revenue"),
    ),
}


def lines(home: Home, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    path = home.path / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def params(**named: Any) -> list[dict[str, Any]]:
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in named.items()]


def drop_good(home: Home) -> None:
    """One visit in the words of each source, and what each sends twice."""
    at = {"timestamp": "2026-01-05T12:00:00Z", "anonymous_id": "segment_visitor"}
    order = {"id": "s2", "event": "order_completed", "event_text": "Order Completed"}
    lines(home, "segment/tracks/1.jsonl", [at | order])
    lines(home, "segment/pages/1.jsonl", [at | {"id": "s1", "context_page_url": PAGE}])
    lines(home, "segment/identifies/1.jsonl", [at | {"id": "s3", "user_id": "u1"}])
    money = {"revenue": 20, "currency": "USD", "order_id": "T1", "coupon": "C"}
    lines(home, "segment/order_completed/1.jsonl", [at | order | money])

    at = {"collector_tstamp": "2026-01-05 12:00:00", "domain_userid": "snowplow_visitor"}
    page = {"event_id": "p1", "event": "page_view", "page_url": PAGE}
    order = {"event": "transaction", "tr_total": 20, "tr_currency": "USD", "tr_orderid": "T2"}
    play = {"event_id": "p3", "event": "struct", "se_action": "video_progress", "user_id": "u1"}
    lines(
        home, "snowplow/a.jsonl", [at | page, at | page, at | order | {"event_id": "p2"}, at | play]
    )

    at = {"event_timestamp": EPOCH * 1_000_000, "user_pseudo_id": "ga4_visitor", "stream_id": 1}
    page = {"event_name": "page_view", "event_params": params(page_location=PAGE, ga_session_id=1)}
    click = {"google_ads_campaign": {"campaign_name": "brand"}}
    ping = {"user_pseudo_id": None, "privacy_info": {"analytics_storage": "No"}}
    lines(home, "ga4/events_intraday_20260105.jsonl", [at | page, at | page | ping])
    lines(
        home,
        "ga4/events_20260105.jsonl",
        [
            at | page | {"session_traffic_source_last_click": click},
            at | {"event_name": "refund", "ecommerce": {"refund_value": 5, "transaction_id": "T2"}},
        ],
    )

    row = {"visitor_id": "generic_visitor", "occurred_at": "2026-01-05T12:00:00Z"}
    lines(home, "generic/a.jsonl", [row | {"event_name": "page_view", "page_url": PAGE}] * 2)


def drop_bad(home: Home) -> None:
    for source, (id_name, time, least, address, money) in FORMS.items():
        noon = least | {time: "2026-01-05T12:00:00Z"}
        rows = [least | {id_name: f"{source} {what}", time: at} for what, at in TIMES.items()]
        rows += [noon | {id_name: 2**53 + 1}, noon | {id_name: 2**53}]
        rows += [
            noon | {id_name: f"{source} NUL", address: "https://shop.example/\0", "own": "a\0"},
            noon | {id_name: f"{source} money_as_text", money: "12.50", "currency": ""},
            noon | {id_name: f"{source} money_of_another_kind", money: "12,50"},
            noon | {id_name: f"{source} 10_megabytes", "own": TEN_MEGABYTES},
        ]
        lines(home, f"{source}/bad_a.jsonl", rows)
        lines(home, f"{source}/bad_b.jsonl", [])
        folder = home.landing(source)
        deep = json.dumps(noon | {id_name: f"{source} deep", "own": "@"})
        nested = '{"a":' * 20_000 + "1" + "}" * 20_000
        not_utf8 = json.dumps(noon | {id_name: f"{source} not_utf8", address: "@"})
        (folder / "bad_c.jsonl").write_text(deep.replace('"@"', nested) + "\n", encoding="utf-8")
        (folder / "bad_d.jsonl").write_bytes(not_utf8.encode().replace(b"@", b"\xff") + b"\n")
        header = ",".join([*noon, id_name])
        cells = ",".join(noon.values())
        (folder / "bad_e.csv").write_text(
            f"{header},added\n{cells},{source} added,1\n{cells},{source} short\n", encoding="utf-8"
        )
        (folder / "bad_f.csv").write_text(f"{header}\n", encoding="utf-8")
    event = {"event_name": "purchase", "user_pseudo_id": "v"}
    microseconds = EPOCH * 1_000_000
    lines(
        home,
        "ga4/bad.jsonl",
        [
            *(event | {"event_timestamp": at} for at in (0, "soon", 2**63 - 1, "")),
            event | {"event_timestamp": microseconds, "ecommerce": {"purchase_revenue": 1e300}},
            event | {"event_timestamp": microseconds, "batch_page_id": 2**63 - 1,
                     "batch_ordering_id": 2**63 - 1, "event_params": params(own=TEN_MEGABYTES)},
            event | {"event_timestamp": str(microseconds + 1), "event_params": params(own="\0")},
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(workshop: Workshop) -> Home:
    home = workshop.home("four_sources")
    drop_good(home)
    drop_bad(home)
    home.night(select=["+int_events"])
    return home


def test_an_act_has_one_name_and_one_event_whichever_source_tells_of_it(home: Home) -> None:
    events = home.query(
        "select source_system, event_name, value, order_id, gclid, user_id, source_session_id "
        "from intermediate.int_events where visitor_id like '%_visitor' order by all"
    )
    names = list(events[0])
    assert [tuple(event[name] for name in names) for event in events] == [
        ("ga4", "page_view", None, None, "G1", None, "1"),
        ("ga4", "refund", Decimal(5), "T2", None, None, None),
        ("generic", "page_view", None, None, "G1", None, None),
        ("segment", "identify", None, None, None, "u1", None),
        ("segment", "page_view", None, None, "G1", None, None),
        ("segment", "purchase", Decimal(20), "T1", None, None, None),
        ("snowplow", "page_view", None, None, "G1", None, None),
        ("snowplow", "purchase", Decimal(20), "T2", None, None, None),
        ("snowplow", "video_progress", None, None, None, "u1", None),
    ]
    assert {event["event_name"] for event in events} <= {
        name["event_name"] for name in home.query("from seeds.event_dictionary")
    }


def test_every_source_has_the_canonical_columns_in_one_order_and_of_one_type(home: Home) -> None:
    # they meet in a union, which goes by place
    columns = home.query(
        "select table_name, "
        "list(column_name || ' ' || data_type order by ordinal_position) as kinds "
        "from information_schema.columns where table_schema = 'staging' "
        "and table_name like '%__events' group by table_name"
    )
    kinds = {row["table_name"]: row["kinds"] for row in columns}
    assert len(kinds) == 4
    # a sequence may be narrower
    plain = {name: [kind.replace("INTEGER", "BIGINT") for kind in of] for name, of in kinds.items()}
    for name in plain:
        assert plain[name] == plain["stg_generic__events"], name


def test_a_ping_without_consent_is_counted_and_not_kept(home: Home) -> None:
    rows = home.query(
        "select file_name, row_number, outcome, reason from intermediate.int_event_receipts "
        "join raw.ga4_events using (load_id, row_number) "
        "where source_system = 'ga4' and file_name <> 'bad.jsonl' and outcome <> 'accepted' "
        "order by all"
    )
    assert [tuple(row.values()) for row in rows] == [
        # of files that land together the daily one counts, which knows where the visit came from
        ("events_intraday_20260105.jsonl", 1, "duplicate", None),
        ("events_intraday_20260105.jsonl", 2, "refused", "consent_denied"),
    ]


def test_every_raw_row_has_one_outcome_per_source_and_load(home: Home) -> None:
    landed = home.query("select load_id, row_count from raw.loads where row_count > 0 order by all")
    receipts = home.query(
        "select load_id, count(*) as row_count from intermediate.int_event_receipts "
        "group by load_id order by all"
    )
    assert receipts == landed
    assert not home.query("from raw.loads where status = 'set_aside'")


@pytest.mark.parametrize("source", FORMS)
def test_each_bad_row_is_accepted_right_or_refused_with_its_reason(home: Home, source: str) -> None:
    id_name = FORMS[source][0]
    outcomes = {
        row["id"]: row["reason"] or row["outcome"]
        for row in home.query(
            f"select raw_rows.{id_name} as id, receipts.outcome, receipts.reason "
            f"from raw.{source}_events as raw_rows "
            "join intermediate.int_event_receipts as receipts using (load_id, row_number) "
            "where raw_rows.file_name like 'bad%'"
        )
    }
    named = (*TIMES, "NUL", "money_as_text", "10_megabytes", "deep", "not_utf8", "added")
    expected = {f"{source} {what}": REFUSED_TIMES.get(what, "accepted") for what in named}
    expected |= {str(2**53 + 1): "accepted", str(2**53): "accepted", None: "unreadable_row"}
    assert outcomes == expected | {f"{source} money_of_another_kind": "unreadable_value"}

    accepted = {
        row["event_id"]: row
        for row in home.query(
            "select event_id, occurred_at, value, page_url, length(properties) as size "
            f"from intermediate.int_events where source_system = '{source}' and visitor_id = 'v'"
        )
    }
    assert {row["occurred_at"] for row in accepted.values()} == {NOON}
    assert accepted[f"{source} money_as_text"]["value"] == Decimal("12.5")
    assert accepted[f"{source} NUL"]["page_url"] == "https://shop.example/\0"
    assert accepted[f"{source} not_utf8"]["page_url"] is None
    assert accepted[f"{source} 10_megabytes"]["size"] > 10_000_000


def test_bad_rows_of_the_nested_export_are_refused_with_their_reason(home: Home) -> None:
    rows = home.query(
        "select reason from intermediate.int_event_receipts "
        "join raw.ga4_events using (load_id, row_number) "
        "where file_name = 'bad.jsonl' order by row_number"
    )
    assert [row["reason"] for row in rows] == [
        *("before_project_start", "unreadable_time", "unreadable_time", "no_time"),
        *("unreadable_value", None, None),
    ]
