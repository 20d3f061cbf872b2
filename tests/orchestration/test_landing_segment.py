"""Segment's warehouse tables: tracks, pages, identifies and the tables of single events."""

import json

from test_landing_home import Home


def segment(home: Home, columns: str) -> list[tuple]:
    return home.events(columns, "segment_events")


def test_columns_of_an_events_own_table_become_properties_and_those_of_the_context_do_not(tmp_path):
    home = Home(tmp_path)
    row = {
        **{"id": "a", "anonymous_id": "v", "event": "product_added", "event_text": "Product Added"},
        **{"timestamp": "2026-01-05T12:00:00.123Z", "received_at": "2026-01-05T12:00:01Z"},
        **{"sent_at": "2026-01-05T12:00:00Z", "original_timestamp": "2026-01-05T12:00:00Z"},
        **{"context_ip": "192.0.2.1", "context_page_url": "https://shop.example/", "uuid_ts": 1},
        **{"product_id": "P1", "price": 9.5, "quantity": 2, "value": "19.0000", "currency": "EUR"},
    }
    home.drop("segment/product_added/1.jsonl", [row])
    header, values = ",".join(row), ",".join(map(str, row.values()))
    home.drop("segment/product_added/2.csv", f"{header}\n{values}\n")
    home.drop_parquet(
        "segment/product_added/3.parquet",
        f"select * from read_json('{home.settings.landing}/segment/product_added/1.jsonl')",
    )
    home.land()
    lines, text, parquet = segment(home, "value, currency, context_page_url, unreadable")
    assert lines == text == parquet
    assert float(lines[0]) == 19.0
    properties = [json.loads(found) for (found,) in segment(home, "properties")]
    assert properties == [
        {"product_id": "P1", "price": 9.5, "quantity": 2},
        {"product_id": "P1", "price": "9.5", "quantity": "2"},
        {"product_id": "P1", "price": 9.5, "quantity": 2},
    ]


def test_tables_of_events_land_before_tracks_which_lacks_their_properties(tmp_path):
    home = Home(tmp_path)
    row = {"id": "a", "timestamp": 1767614400}
    for name in ("tracks/1", "pages/1", "trial_started/1", "all_tracks"):
        home.drop(f"segment/{name}.jsonl", [row | {"own": name}])
    home.land()
    assert [name for (name,) in segment(home, "file_name")] == [
        *("pages/1.jsonl", "trial_started/1.jsonl", "all_tracks.jsonl", "tracks/1.jsonl")
    ]


def test_money_and_times_that_cannot_be_read_are_named_by_column(tmp_path):
    home = Home(tmp_path)
    home.drop("segment/tracks.csv", "id,timestamp,revenue\na,soon,12\nb,1767614400,much\n")
    home.land()
    assert segment(home, "id, unreadable") == [
        ("a", '{"timestamp":"soon"}'),
        ("b", '{"revenue":"much"}'),
    ]


def test_a_file_without_ids_or_times_is_set_aside_with_what_it_lacks(tmp_path):
    home = Home(tmp_path)
    home.drop("segment/users.csv", "id,email\na,a@shop.example\n")
    ((name, reason),) = home.land().set_aside
    assert name == "segment/users.csv"
    assert "it lacks the needed column timestamp" in reason


def test_raw_calls_are_set_aside_with_the_word_of_what_lands_in_their_stead(tmp_path):
    home = Home(tmp_path)
    call = {"messageId": "a", "anonymousId": "v", "type": "track", "event": "Signed Up"}
    home.drop("segment/calls.jsonl", [call])
    home.drop("segment/server.jsonl", [{"messageId": "b", "userId": "u", "type": "identify"}])
    home.drop("segment/other.jsonl", [{"message": "a"}])
    reasons = dict(home.land().sources["segment"].set_aside)
    for name in ("calls.jsonl", "server.jsonl"):
        assert "These are calls as Segment takes them; land the tables" in reasons[name]
    assert "calls as Segment" not in reasons["other.jsonl"]


def test_a_null_as_snowflake_unloads_it_to_csv_is_nobody_and_no_campaign(tmp_path):
    home = Home(tmp_path)
    columns = "anonymous_id, user_id, context_campaign_source, revenue, order_id, unreadable"
    header = "ID,ANONYMOUS_ID,USER_ID,TIMESTAMP,CONTEXT_CAMPAIGN_SOURCE,REVENUE,ORDER_ID,PLAN\n"
    row = r"a,\N,u1,2026-01-05 12:00:00.123,\N,\N,\N,\N" + "\n"
    home.drop("segment/order_completed/data_0_0_0.csv.gz", header + row)
    # the row with too few fields has the file taken apart
    home.drop("segment/order_completed/data_0_1_0.csv", header + row.replace("a", "b") + "c\n")
    home.land()
    whole, mended, _ = segment(home, columns)
    assert whole == mended == (None, "u1", None, None, None, None)
    assert segment(home, "properties")[:2] == [(None,), (None,)]
