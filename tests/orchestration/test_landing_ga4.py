"""The nested GA4 export: Parquet and JSON lines, older and newer, whole and in parts."""

import json
from pathlib import Path

import pytest
from test_landing_home import Home

from orchestration.landing.declaration import TECHNICAL_COLUMNS, raw_tables
from orchestration.settings import PROJECT_ROOT

SAMPLE = PROJECT_ROOT.parent / "shared" / "data" / "ga4_sample" / "ga4_events.parquet"
COLUMNS = ", ".join(f'"{column.name}"' for column in raw_tables()["ga4_events"].file_columns)


def ga4(home: Home, columns: str) -> list[tuple]:
    return home.events(columns, "ga4_events")


def test_the_columns_of_an_export_in_json_are_those_in_parquet(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "ga4/a.jsonl",
        [
            {
                **{"event_date": "20260105", "event_timestamp": "1767614400000000"},
                **{"event_name": "purchase", "stream_id": 123, "batch_page_id": "7"},
                "event_params": [
                    {"key": "ga_session_id", "value": {"int_value": "9007199254740993"}},
                    {"key": "session_engaged", "value": {"string_value": "1"}},
                    {"key": "value", "value": {"double_value": 12.5}},
                ],
                "privacy_info": {"analytics_storage": "Yes", "uses_transient_token": "No"},
                "ecommerce": {"purchase_revenue": 12.5, "transaction_id": 4711},
                "session_traffic_source_last_click": {"manual_campaign": {"source": "s"}},
                "items": [{"item_id": "1"}],
            }
        ],
    )
    home.drop_parquet(
        "ga4/b.parquet",
        """
        select '20260105' as event_date, 1767614400000000 as event_timestamp,
            'purchase' as event_name, 123 as stream_id, 7::integer as batch_page_id, [
            {'key': 'ga_session_id', 'value': {'int_value': 9007199254740993,
                'string_value': null::varchar, 'double_value': null::double}},
            {'key': 'session_engaged', 'value': {'int_value': null, 'string_value': '1',
                'double_value': null}},
            {'key': 'value', 'value': {'int_value': null, 'string_value': null,
                'double_value': 12.5}}] as event_params,
            {'analytics_storage': 'Yes', 'ads_storage': null::bigint} as privacy_info,
            {'transaction_id': 4711, 'purchase_revenue': 12.5} as ecommerce,
            {'manual_campaign': {'source': 's', 'unknown': 1}} as session_traffic_source_last_click,
            null::bigint as user_id, null::bigint as geo, [{'item_id': '1'}] as items
        """,
    )
    home.land()
    in_json, in_parquet = ga4(home, COLUMNS)
    assert in_json == in_parquet
    assert ga4(home, "unreadable") == [(None,), (None,)]
    assert ga4(home, "event_params[1].value.int_value, stream_id, ecommerce.transaction_id")[0] == (
        *(9007199254740993, "123", "4711"),
    )
    assert ga4(home, "session_traffic_source_last_click.manual_campaign.source, geo")[0] == (
        "s",
        None,
    )


def test_a_timestamp_that_was_made_a_time_before_the_export_is_microseconds_again(tmp_path):
    home = Home(tmp_path)
    texts = ["2026-01-05 12:00:00.25 UTC", "2026-01-05T12:00:00.250Z", "1767614400250000"]
    home.drop("ga4/a.jsonl", [{"event_name": "x", "event_timestamp": text} for text in texts])
    kinds = ("timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns")
    for name, kind in zip("bcde", kinds, strict=True):
        moment = f"cast('2026-01-05 12:00:00.25+00' as {kind})"
        home.drop_parquet(
            f"ga4/{name}.parquet", f"select 'x' as event_name, {moment} as event_timestamp"
        )
    home.drop("ga4/f.jsonl", [{"event_name": "x", "event_timestamp": "1767614400.5"}])
    home.land()
    assert ga4(home, "event_timestamp, unreadable") == [
        *[(1767614400250000, None)] * 7,
        (None, '{"event_timestamp":"1767614400.5"}'),
    ]


def test_records_written_as_text_are_read_from_json_lines_and_from_parquet(tmp_path):
    home = Home(tmp_path)
    params = '[{"key": "a", "value": {"int_value": "1"}}]'
    money = '{"purchase_revenue": "12.5"}'
    event = {"event_name": "purchase", "event_timestamp": "1767614400000000"}
    home.drop("ga4/a.jsonl", [event | {"event_params": params, "ecommerce": money, "geo": "Paris"}])
    home.drop_parquet(
        "ga4/b.parquet",
        f"select 'purchase' as event_name, 1767614400000000 as event_timestamp, "
        f"'{params}' as event_params, '{money}' as ecommerce, 'Paris' as geo",
    )
    home.land()
    assert ga4(home, "event_params[1].value.int_value, ecommerce.purchase_revenue, geo") == [
        *[(1, 12.5, None)] * 2
    ]
    assert [list(json.loads(text)) for (text,) in ga4(home, "unreadable")] == [["geo"]] * 2


def test_a_record_that_is_an_empty_text_is_none(tmp_path):
    home = Home(tmp_path)
    event = {"event_name": "purchase", "event_timestamp": 1767614400000000}
    empty = dict.fromkeys(("event_params", "ecommerce", "geo"))
    home.drop("ga4/a.jsonl", [event | dict.fromkeys(empty, ""), event | empty])
    home.drop_parquet(
        "ga4/b.parquet",
        "select 'purchase' as event_name, 1767614400000000 as event_timestamp, "
        "'' as event_params, '' as ecommerce, '' as geo",
    )
    home.land()
    assert ga4(home, "event_params, ecommerce, geo, unreadable") == [(None, None, None, None)] * 3


def test_lists_wrapped_by_the_parquet_writer_are_unwrapped(tmp_path):
    home = Home(tmp_path)
    params = "[{'key': 'a', 'value': {'int_value': 1}}, {'key': 'b', 'value': {'int_value': 2}}]"
    wrapped = f"{{'list': list_transform({params}, lambda p: {{'element': p}})}}"
    home.drop_parquet(
        "ga4/a.parquet",
        f"select 'x' as event_name, 1767614400000000 as event_timestamp, {wrapped} as event_params",
    )
    home.land()
    assert ga4(home, "event_params[2].key, event_params[2].value.int_value, unreadable") == [
        ("b", 2, None)
    ]


def test_a_record_that_shares_no_field_with_the_declared_one_costs_only_itself(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet(
        "ga4/a.parquet",
        "select 'x' as event_name, 1767614400000000 as event_timestamp, "
        "[{'key': 'a', 'value': {'other': 1}}] as event_params, "
        "{'manual_campaign': {'other': 1}} as session_traffic_source_last_click",
    )
    home.land()
    assert ga4(home, "event_params[1].key, event_params[1].value.int_value") == [("a", None)]


def test_a_text_in_a_field_of_json_is_read_without_its_quotes(tmp_path):
    """A field is of that type where DuckDB found texts beside numbers in it."""
    home = Home(tmp_path)
    home.drop_parquet(
        "ga4/a.parquet",
        "select 'purchase' as event_name, 1767614400000000 as event_timestamp, "
        "[{'key': 'currency', 'value': {'string_value': '\"USD\"'::json}}, "
        "{'key': 'value', 'value': {'string_value': '12.5'::json}}] as event_params, "
        "{'transaction_id': unnest(['\"T1\"', '77', 'null']::json[]), "
        "'purchase_revenue': unnest(['\"8.5\"', '9', 'null']::json[])} as ecommerce",
    )
    home.land()
    params = "event_params[1].value.string_value, event_params[2].value.string_value"
    money = "ecommerce.transaction_id, ecommerce.purchase_revenue, unreadable"
    assert ga4(home, f"{params}, {money}") == [
        ("USD", "12.5", *order, None) for order in (("T1", 8.5), ("77", 9), (None, None))
    ]


def test_a_field_of_a_wrong_kind_costs_that_field_and_is_named(tmp_path):
    home = Home(tmp_path)
    event = {"event_name": "x", "event_timestamp": 1767614400000000}
    home.drop(
        "ga4/a.jsonl",
        [
            event | {"event_params": {"key": "a"}, "device": {"category": ["a", "b"]}},
            event | {"ecommerce": {"purchase_revenue": "much", "transaction_id": 1}},
            {"event_name": "x", "event_timestamp": "soon", "geo": "here"},
        ],
    )
    home.drop_parquet(
        "ga4/b.parquet",
        "select 'x' as event_name, 1767614400000000 as event_timestamp, 5 as event_params, "
        "{'other': 1} as device, {'purchase_revenue': 'much', 'transaction_id': 1} as ecommerce",
    )
    home.land()
    assert [json.loads(unreadable) for (unreadable,) in ga4(home, "unreadable")] == [
        {"event_params": '{"key":"a"}'},
        {"ecommerce.purchase_revenue": "much"},
        {"event_timestamp": "soon", "geo": '"here"'},
        {"event_params": "5", "ecommerce.purchase_revenue": "much"},
    ]
    assert ga4(home, "device.category, ecommerce.transaction_id") == [
        *(('["a","b"]', None), (None, "1"), (None, None), (None, "1"))
    ]


def test_a_parameter_of_money_of_which_nothing_is_read_is_named(tmp_path):
    home = Home(tmp_path)
    said = [
        '{"key":"value","value":{"int_value":1e400}}',
        '{"key":"value","value":{"double_value":"12,5"}}',
        '{"key":"value","value":"12"}',
        '{"key":"value","value":12}',
        '{"key":"currency","value":"EUR"}',
    ]
    readable = ['{"double_value":"12.5"}', '{"int_value":null}', "{}", '{"int_value":""}', "null"]
    params = [*said, *(f'{{"key":"value","value":{value}}}' for value in readable)]
    params += ['{"key":"other","value":"12"}']
    begin = '{"event_name":"purchase","event_timestamp":1767614400000000,'
    lists = [f'[{{"key":"a","value":{{"int_value":1}}}},{param}]' for param in params]
    home.drop("ga4/a.jsonl", "".join(f'{begin}"event_params":{params}}}\n' for params in lists))
    as_texts = [f'{begin}"event_params":{json.dumps(params)}}}\n' for params in lists]
    home.drop("ga4/b.jsonl", "".join(as_texts))
    revenue = f'{begin}"ecommerce":{{"purchase_revenue":true}}}}\n'
    home.drop("ga4/c.jsonl", revenue)
    home.land()
    named = [{f"event_params.{json.loads(param)['key']}": param} for param in said]
    expected = [*named, *[None] * 6]
    landed = [json.loads(unreadable or "null") for (unreadable,) in ga4(home, "unreadable")]
    assert landed == [*expected, *expected, {"ecommerce.purchase_revenue": "true"}]


def test_csv_is_refused_for_ga4_and_a_file_without_timestamps_too(tmp_path):
    home = Home(tmp_path)
    home.drop("ga4/a.csv", "event_name,event_timestamp\nx,1\n")
    home.drop_parquet("ga4/b.parquet", "select 'x' as event_name")
    reasons = dict(home.land().set_aside)
    assert "CSV cannot carry GA4's nested columns" in reasons["ga4/a.csv"]
    assert "it lacks the needed column event_timestamp" in reasons["ga4/b.parquet"]


@pytest.mark.skipif(not SAMPLE.exists(), reason=f"no {Path('../shared/data/ga4_sample')} here")
def test_the_real_sample_lands_whole_and_alike_in_both_formats(tmp_path):
    home = Home(tmp_path)
    home.drop("ga4/a.parquet", SAMPLE.read_bytes())
    home.land()
    ((rows, unreadable, params, revenue),) = home.rows(
        "select count(*), count(unreadable), sum(len(event_params)), "
        "sum(ecommerce.purchase_revenue) from raw.ga4_events"
    )
    ((expected_params, expected_revenue),) = home.rows(
        f"select sum(len(event_params)), sum(ecommerce.purchase_revenue) from '{SAMPLE}'"
    )
    assert (rows, unreadable) == (24219, 0)
    assert (params, revenue) == (expected_params, expected_revenue)
    home.rows(
        f"copy (from '{SAMPLE}' limit 500) to '{home.settings.landing}/ga4/b.jsonl' (format json)"
    )
    home.land()
    both = "select {} from raw.ga4_events where file_name = '{}' and row_number <= 500".format
    different = home.rows(f"{both(COLUMNS, 'a.parquet')} except all {both(COLUMNS, 'b.jsonl')}")
    assert different == []
    assert not set(TECHNICAL_COLUMNS) & set(COLUMNS.replace('"', "").split(", "))
