"""Snowplow's atomic events, as each of its loaders writes them."""

import json

from test_landing_home import Home

PAGE = "contexts_com_snowplowanalytics_snowplow_web_page_1"


def snowplow(home: Home, columns: str) -> list[tuple]:
    return home.events(columns, "snowplow_events")


def event(event_id: str, **columns: object) -> dict[str, object]:
    return {"event_id": event_id, "collector_tstamp": "2026-01-05 12:00:00.123"} | columns


def test_a_schema_is_one_column_whatever_version_its_name_ends_with(tmp_path):
    home = Home(tmp_path)
    entity = [{"id": "p"}]
    home.drop("snowplow/a.jsonl", [event("a", **{PAGE: entity}), event("b")])
    home.drop("snowplow/b.jsonl", [event("c", **{f"{PAGE}_0_0": entity})])
    columns = f"event_id,collector_tstamp,{PAGE}_0_0,{PAGE}_0_1\n"
    cell = '"[{""id"":""p""}]"'
    home.drop("snowplow/c.csv", f"{columns}d,1767614400,{cell},\ne,1767614400,,{cell}\n")
    home.drop_parquet(
        "snowplow/d.parquet",
        f"select 'f' as event_id, 1767614400 as collector_tstamp, [{{'id': 'p'}}] as {PAGE}_0_0, "
        f"null::varchar as {PAGE}_0_1",
    )
    home.land()
    found = snowplow(home, f"event_id, json_extract_string({PAGE}, '$[0].id')")
    assert found == [(name, None if name == "b" else "p") for name in "abcdef"]
    assert set(snowplow(home, "properties, unreadable")) == {(None, None)}


def test_own_events_and_entities_become_properties_and_the_rest_of_the_135_columns_do_not(tmp_path):
    home = Home(tmp_path)
    own = {"unstruct_event_com_shop_play_1_0_0": {"seconds": 3}, "pp_yoffset_max": 700}
    rest = {"br_lang": "en", "geo_city": "Graz", "page_urlhost": "shop.example", "v_etl": "1"}
    home.drop("snowplow/a.jsonl", [event("a", **own, **rest, page_url="https://shop.example/")])
    home.drop("snowplow/b.csv", "event_id,collector_tstamp,br_lang,app_id\nb,1767614400,en,web\n")
    home.land()
    (first, _), (second, _) = snowplow(home, "properties, page_url")
    assert json.loads(first) == own
    assert second is None


def test_what_cannot_be_read_costs_that_value_and_is_named(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "snowplow/a.jsonl",
        [
            event("a", tr_total="much", derived_tstamp="soon"),
            event("b", se_value="NaN", tr_total=1e30),
            event("c", se_value="1.5"),
            event(9007199254740993, collector_tstamp=4102444800000),
        ],
    )
    home.land()
    assert [json.loads(found or "{}") for (found,) in snowplow(home, "unreadable")] == [
        {"tr_total": "much", "derived_tstamp": "soon"},
        {"se_value": "NaN", "tr_total": "1e30"},
        {},
        {},
    ]
    assert snowplow(home, "event_id, collector_tstamp::varchar, se_value")[2:] == [
        ("c", "2026-01-05 12:00:00.123", 1.5),
        ("9007199254740993", "2100-01-01 00:00:00", None),
    ]


def test_an_empty_list_of_one_version_does_not_hide_what_another_version_holds(tmp_path):
    home = Home(tmp_path)
    entity = "contexts_com_snowplowanalytics_snowplow_ecommerce_transaction_1"
    order = [{"transaction_id": "T1", "revenue": 12.5}]
    rows = [
        {"event_id": i, "collector_tstamp": "2026-01-05 12:00:00 UTC", f"{entity}_0_0": old}
        | {f"{entity}_0_1": new, f"{entity}_0_2": []}
        for i, old, new in (("a", order, []), ("b", [], order), ("c", [], []))
    ]
    # BigQuery's lists are never null, in JSON as in Parquet
    source = home.drop("snowplow/1.jsonl", rows)
    home.drop_parquet("snowplow/2.parquet", f"from read_json('{source}')")
    home.land()
    held = [("a", order), ("b", order), ("c", None)]
    found = snowplow(home, f"event_id, {entity}")
    assert [(i, json.loads(text) if text else None) for i, text in found] == held + held
