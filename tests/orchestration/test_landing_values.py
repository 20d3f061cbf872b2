"""Values: what each kind of text, number and type becomes, and what cannot be read is kept."""

import json
import re
from datetime import date, datetime
from decimal import Decimal

import pytest
from test_landing_home import HEADER, Home

from orchestration.landing import kept
from orchestration.landing.declaration import raw_tables
from orchestration.sources import LANDING_SOURCES

NOON = datetime(2026, 1, 5, 12)


def land_values(home: Home, column: str, values: list) -> list[tuple]:
    """The column and `unreadable` after landing each value as a JSON line, in order."""
    rows = [
        {"visitor_id": "v", "occurred_at": "2026-01-05", "event_name": "x", column: value}
        for value in values
    ]
    home.drop("generic/values.jsonl", rows)
    home.land()
    return home.events(f"{column}, unreadable")


def test_times_of_every_notation_become_utc(tmp_path):
    readable = {
        "2026-01-05 12:00:00": NOON,
        "2026-01-05T12:00:00Z": NOON,
        "2026-01-05t12:00:00z": NOON,
        "2026-01-05T14:00:00+02:00": NOON,
        "2026-01-05T17:30:00+0530": NOON,
        "2026-01-05 04:00:00-08": NOON,
        "2026-01-05 12:00:00.000 +0000": NOON,
        "2026-01-05 04:00 -08:00": NOON,
        "2026-01-05 12:00:00.000 Z": NOON,
        "2026-01-05 12:00:00.000000 UTC": NOON,
        "2026-01-05 13:00:00 Europe/Berlin": NOON,
        "2026-07-05 14:00:00 Europe/Berlin": datetime(2026, 7, 5, 12),
        # an hour that comes twice, and one that is left out
        "2026-10-25 02:30:00 Europe/Berlin": datetime(2026, 10, 25, 1, 30),
        "2026-11-01 01:30:00 America/New_York": datetime(2026, 11, 1, 6, 30),
        "2026-03-29 02:30:00 Europe/Berlin": datetime(2026, 3, 29, 1, 30),
        "2026-01-05T12:00:00.123456789Z": NOON.replace(microsecond=123456),
        "2026-01-05T12:00:00,5Z": NOON.replace(microsecond=500000),
        "2026-01-05 12:00:00 utc": NOON,
        "2026-01-05 12:00:00 GMT": NOON,
        "2026-01-05 07:00:00 America/New_York": NOON,
        "2026-01-05": datetime(2026, 1, 5),
        "20260105": datetime(2026, 1, 5),
        "20260105.0": datetime(2026, 1, 5),
        "19000101": datetime(1900, 1, 1),
        "29991231": datetime(2999, 12, 31),
        "20260105120000": NOON,
        "2026-01-05T23:00:00+1100": NOON,
        "2026-01-06T02:00:00+14:00": NOON,
        "2026-01-05 00:00:00 -12": NOON,
        # no time of day, so milliseconds since 1970
        "20260105126000": datetime(2612, 1, 7, 22, 58, 46),
        # no dates, so seconds since 1970
        "20260230": datetime(1970, 8, 23, 11, 50, 30),
        "20260105.5": datetime(1970, 8, 23, 11, 48, 25, 500000),
        "1767614400": NOON,
        "1767614400.25": NOON.replace(microsecond=250000),
        "1767614400123": NOON.replace(microsecond=123000),
        "1767614400123456": NOON.replace(microsecond=123456),
        "1767614400123456789": NOON.replace(microsecond=123456),
        "1.7676144E9": NOON,
        "0": datetime(1970, 1, 1),
        "1970-01-01 00:00:01": datetime(1970, 1, 1, 0, 0, 1),
        "4102444800": datetime(2100, 1, 1),
        "4102444800000": datetime(2100, 1, 1),
        "4102444800000000": datetime(2100, 1, 1),
        "2100-01-01T00:00:00Z": datetime(2100, 1, 1),
    }
    unreadable = ["2026-13-01", "2026-02-30", "yesterday", "12:00", "infinity", "-5000-01-01"]
    # an abbreviation is the name of several zones, or of one half of the year
    unreadable += ["2026-01-05 12:00:00 BST", "2026-01-05 12:00:00.5 cst", "2026-01-05 12:00 CET"]
    unreadable += ["20260105T120000Z", "290000-01-01", "NaN", "1e300", "9223372036854775807000"]
    unreadable += ["2026-01-05xyz"]
    # no clock is as far ahead or behind
    unreadable += [f"2026-01-05T12:00:00{offset}" for offset in ("+99:99", "+14:30", "-1300")]
    unreadable += ["2026-01-05 12:00:00.5+05:60", "2026-01-05 12:00 -12:01", "2026-01-05 12:00+15"]
    texts = [*readable, *unreadable, ""]
    home = Home(tmp_path)
    row = {"visitor_id": "v", "event_name": "x"}
    home.drop("generic/a.csv", HEADER + "".join(f'v,"{text}",x\n' for text in texts))
    home.drop("generic/b.jsonl", [row | {"occurred_at": text} for text in texts])
    home.land()
    expected = [
        *((moment, None) for moment in readable.values()),
        *((None, json.dumps({"occurred_at": text}, separators=(",", ":"))) for text in unreadable),
        (None, None),
    ]
    assert home.events("occurred_at, unreadable") == expected * 2


def test_numbers_of_json_are_times_by_their_magnitude(tmp_path):
    home = Home(tmp_path)
    rows = [1767614400, 1767614400.5, 1767614400123, 1767614400123456, 1767614400123456789]
    landed = land_values(home, "loaded_at", [*rows, 20260105120000, True])
    assert [moment for moment, _ in landed] == [
        NOON,
        NOON.replace(microsecond=500000),
        NOON.replace(microsecond=123000),
        NOON.replace(microsecond=123456),
        NOON.replace(microsecond=123456),
        NOON,
        None,
    ]
    assert landed[-1][1] == '{"loaded_at":"true"}'


def test_a_number_of_eight_digits_is_a_date_in_every_column_of_times(tmp_path):
    home = Home(tmp_path)
    home.drop("orders/a.csv", "order_id,value,ordered_at\nO1,1,20260105\n")
    home.drop("orders/b.jsonl", [{"order_id": "O1", "value": 1, "ordered_at": 20260105}])
    for name, kind in {"c": "integer", "d": "bigint", "e": "double", "f": "decimal(18, 2)"}.items():
        number = f"cast(20260105 as {kind}) as ordered_at"
        home.drop_parquet(
            f"orders/{name}.parquet", f"select 'O1' as order_id, 1 as value, {number}"
        )
    home.land()
    landed = home.rows("select ordered_at, unreadable from raw.orders")
    assert landed == [(datetime(2026, 1, 5), None)] * 6


@pytest.mark.parametrize("kind", ["bigint", "double", "decimal(18, 2)", "varchar"])
def test_a_number_of_fourteen_digits_is_a_day_with_its_time(tmp_path, kind):
    home = Home(tmp_path)
    number = f"cast(20260105120000 as {kind}) as occurred_at"
    home.drop_parquet("generic/a.parquet", f"select 'v' as visitor_id, {number}, 'x' as event_name")
    home.land()
    assert home.events("occurred_at, unreadable") == [(NOON, None)]


def test_each_unit_of_time_reaches_to_where_the_next_begins(tmp_path):
    home = Home(tmp_path)
    limits = [99_999_999_999, 100_000_000_000]
    limits += [99_999_999_999_999, 100_000_000_000_000]
    limits += [99_999_999_999_990_000, 100_000_000_000_000_000]
    for kind in ("text", "bigint", "double"):
        home.drop_parquet(
            f"generic/{kind}.parquet",
            f"select 'v' as visitor_id, unnest({limits})::{kind} as occurred_at, 'x' as event_name",
        )
    home.land()
    assert [moment.year for (moment,) in home.events("occurred_at")] == [5138, 1973] * 9


def test_times_typed_in_parquet_become_utc(tmp_path):
    home = Home(tmp_path)
    moment = "timestamp '2026-01-05 12:00:00'"
    for name, sql in {
        "a": moment,
        "b": "timestamptz '2026-01-05 14:00:00+02'",
        "c": f"cast({moment} as timestamp_s)",
        "d": f"cast({moment} as timestamp_ms)",
        "e": f"cast({moment} as timestamp_ns)",
        "f": "1767614400::integer",
        "g": "1767614400000::bigint",
        "h": "1767614400000000::hugeint",
        "i": "1767614400000000000::ubigint",
        "j": "1767614400.0::double",
        "k": "1767614400.0::decimal(20, 3)",
        "l": "'2026-01-05 12:00:00'",
        "m": "date '2026-01-05'",
        "n": "time '12:00:00'",
        "o": "timestamp 'infinity'",
        "p": "timestamp '0044-03-15 (BC) 00:00:00'",
        "q": "null::integer",
        "r": "date '5000000-01-01'",
        # what pandas makes of times with a zone
        "s": "cast(timestamptz '2026-01-05 14:00:00+02' as timestamptz_ns)",
    }.items():
        home.drop_parquet(
            f"generic/{name}.parquet",
            f"select '{name}' as visitor_id, {sql} as occurred_at, 'x' as event_name",
        )
    home.land()
    landed = {name: rest for name, *rest in home.events("visitor_id, occurred_at, unreadable")}
    assert {name: moment for name, (moment, _) in landed.items()} == (
        dict.fromkeys("abcdefghijkls", NOON) | {"m": datetime(2026, 1, 5)} | dict.fromkeys("nopqr")
    )
    assert {name for name, (_, unreadable) in landed.items() if unreadable} == set("nopr")


def test_money_comes_from_numbers_and_numeric_text_and_never_by_guess(tmp_path):
    home = Home(tmp_path)
    values = [
        12.5,
        "12.5",
        " 12.5 ",
        "1e3",
        0,
        -3,
        "12,50",
        "1,234.56",
        "1_000",
        "€5",
        "NaN",
        True,
        1e15,
        "",
    ]
    landed = land_values(home, "value", values)
    amounts = ["12.5", "12.5", "12.5", "1000", "0", "-3"]
    assert [value for value, _ in landed[:6]] == [Decimal(amount) for amount in amounts]
    assert [unreadable for _, unreadable in landed] == [
        *[None] * 6,
        *('{"value":"12,50"}', '{"value":"1,234.56"}', '{"value":"1_000"}'),
        *('{"value":"€5"}', '{"value":"NaN"}'),
        *('{"value":"true"}', '{"value":"1000000000000000.0"}', None),
    ]


def test_a_fraction_is_no_sequence(tmp_path):
    home = Home(tmp_path)
    landed = land_values(
        home, "sequence", ["7", 7, "7.0", 7.0, "7.4", 7.4, "0x10", "1_0", 2**62, 2**70]
    )
    assert [value for value, _ in landed] == [7] * 4 + [None] * 4 + [2**62, None]
    assert [bool(unreadable) for _, unreadable in landed] == [
        *[False] * 4,
        *[True] * 4,
        False,
        True,
    ]


def test_whole_numbers_stored_as_floats_are_whole_numbers_at_any_size(tmp_path):
    home = Home(tmp_path)
    numbers = "[1711214400123.0, 1711214400777.0, 2.0, 7.4, 1e300, 'NaN']::double[]"
    home.drop_parquet(
        "generic/a.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, "
        f"unnest({numbers}) as sequence",
    )
    home.drop_parquet(
        "ga4/a.parquet",
        "select 'v' as user_pseudo_id, 'x' as event_name, 1775037600123456::double as "
        f"event_timestamp, unnest({numbers}) as batch_page_id",
    )
    home.land()
    expected = [1711214400123, 1711214400777, 2, None, None, None]
    assert [number for (number,) in home.events("sequence")] == expected
    landed = home.events("event_timestamp, batch_page_id", "ga4_events")
    assert landed == [(1775037600123456, number) for number in expected]


def test_money_stored_as_a_short_float_keeps_the_digits_that_it_was_written_with(tmp_path):
    home = Home(tmp_path)
    home.drop_parquet(
        "orders/a.parquet",
        "select 'O1' as order_id, unnest([12345.67, 0.1, 1e6, 'inf']::float[]) as value",
    )
    home.land()
    landed = home.rows("select value, unreadable from raw.orders order by row_number")
    assert [value for value, _ in landed] == [Decimal("12345.67"), Decimal("0.1"), 1000000, None]
    assert landed[3][1] == '{"value":"inf"}'


def test_an_id_is_the_same_whether_a_number_of_json_has_a_fraction_of_0_or_none(tmp_path):
    home = Home(tmp_path)
    row = {"occurred_at": 1767614400, "event_name": "x"}
    home.drop(
        "generic/a.jsonl",
        [
            row | {"visitor_id": 42.0, "order_id": 9001.0},
            row | {"visitor_id": 42, "order_id": 9001},
            # a text is not taken for a number
            row | {"visitor_id": "42.0", "order_id": 0.5},
        ],
    )
    home.drop("generic/b.csv", HEADER + "42.0,1767614400,x\n")
    home.land()
    assert home.events("visitor_id, order_id") == [
        *[("42", "9001")] * 2,
        ("42.0", "0.5"),
        ("42.0", None),
    ]


def test_ids_are_text_and_keep_every_digit(tmp_path):
    home = Home(tmp_path)
    big = 12345678901234567890123
    home.drop("generic/a.csv", HEADER.strip() + ",user_id\n9007199254740993,1767614400,x,007\n")
    row = {"occurred_at": 1767614400, "event_name": "x"}
    home.drop(
        "generic/b.jsonl",
        [
            row | {"visitor_id": 9007199254740993, "user_id": "007"},
            row | {"visitor_id": big, "user_id": True},
        ],
    )
    home.drop_parquet(
        "generic/c.parquet",
        "select 9007199254740993 as visitor_id, now() as occurred_at, 'x' as event_name, "
        "unnest([42.0::double, 'NaN'::double, 1.5::double, null]) as user_id",
    )
    home.drop_parquet(
        "generic/d.parquet",
        "select '\\x61\\x62'::blob as visitor_id, now() as occurred_at, "
        "'x'::enum('x') as event_name, uuid '12345678-1234-1234-1234-123456789012' as user_id",
    )
    # as Spark writes the NUMBER of an Oracle database
    home.drop_parquet(
        "generic/e.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, "
        f"unnest(['1001', '10.5', '-7', '{big}', '1e-10', null]::decimal(38, 10)[]) as user_id",
    )
    home.land()
    assert home.events("visitor_id, user_id") == [
        ("9007199254740993", "007"),
        ("9007199254740993", "007"),
        (str(big), "true"),
        # an id column with gaps is often stored as floating point: 42.0 is the id 42
        ("9007199254740993", "42"),
        ("9007199254740993", None),
        ("9007199254740993", "1.5"),
        ("9007199254740993", None),
        ("ab", "12345678-1234-1234-1234-123456789012"),
        *[("v", user) for user in ("1001", "10.5000000000", "-7", str(big), "0.0000000001", None)],
    ]


@pytest.mark.parametrize("kind", ["::json", "::json::variant"])
def test_a_text_in_a_column_of_json_is_read_without_its_quotes(tmp_path, monkeypatch, kind):
    """A column is of that type where DuckDB found texts beside other values in a loader's files."""
    given = {
        **{"visitor_id": "v 1", "occurred_at": "2026-01-05 12:00:00", "event_name": 'a "b"'},
        **{"event_id": "(not set)", "user_id": 42, "value": "12.5", "consent_analytics": "denied"},
        **{"source": "", "medium": "null", "campaign": None, "properties": '{"a": 1}', "own": "o"},
    }
    columns = ", ".join(f"'{json.dumps(value)}'{kind} as {name}" for name, value in given.items())
    home = Home(tmp_path)
    home.drop("generic/a.jsonl", [given])
    home.drop_parquet("generic/b.parquet", f"select {columns}")
    home.land()
    monkeypatch.setattr(kept, "KEPT_FROM_BYTES", 1)
    home.drop_parquet("generic/c.parquet", f"select * exclude (own) from (select {columns})")
    home.land()
    read = (
        *("v 1", NOON, 'a "b"', None, "42", Decimal("12.5000"), "denied", None, "null", None),
        *('{"own":"o","a":1}', None),
    )
    names = [*given][:-1]
    from_lines, from_parquet, from_kept = home.events(", ".join([*names, "unreadable"]))
    assert from_lines == from_parquet == read
    assert from_kept == (*read[:-2], '{"a": 1}', None)


def test_a_placeholder_is_no_id_of_a_generic_event(tmp_path, monkeypatch):
    home = Home(tmp_path)
    ids = ["e1", " NULL ", "(not set)", "Undefined", "0", "nullable"]
    home.drop("generic/a.csv", "event_id," + HEADER + "".join(f"{i},v,1767614400,x\n" for i in ids))
    row = {"visitor_id": "v", "occurred_at": 1767614400, "event_name": "x"}
    home.drop("generic/b.jsonl", [row | {"event_id": name} for name in ids])
    query = "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, "
    home.drop_parquet("generic/c.parquet", query + f"unnest({ids}) as event_id")
    home.drop_parquet("generic/d.parquet", query + "unnest([0, 7]) as event_id")
    home.land()
    monkeypatch.setattr(kept, "KEPT_FROM_BYTES", 1)
    home.drop_parquet("generic/e.parquet", query + f"unnest({ids}) as event_id")
    home.drop_parquet("generic/f.parquet", query + "unnest(['e1', 'nullable']) as event_id")
    home.land()
    read = ["e1", None, None, None, None, "nullable"]
    expected = [*read * 3, None, "7", *read, "e1", "nullable"]
    assert [name for (name,) in home.events("event_id")] == expected


def test_empty_text_is_null_everywhere_and_the_word_null_is_a_word(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER.strip() + ',campaign,shade\nv,1767614400,x,"",\n')
    row = {"visitor_id": "v", "occurred_at": 1767614400, "event_name": "x"}
    home.drop("generic/b.jsonl", [row | {"campaign": "", "term": None}, row | {"campaign": "null"}])
    home.drop_parquet(
        "generic/c.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, '' as campaign, "
        "'' as shade",
    )
    home.land()
    assert home.events("campaign, term, properties, unreadable") == [
        (None, None, None, None),
        (None, None, None, None),
        ("null", None, None, None),
        (None, None, None, None),
    ]


def test_blanks_where_a_number_a_time_or_properties_belong_are_nothing(tmp_path):
    home = Home(tmp_path)
    names = ("value", "sequence", "loaded_at", "properties")
    needed = "visitor_id, occurred_at, event_name"
    home.drop("generic/a.csv", f"{needed}, {', '.join(names)}\nv, 2026-01-05, x, ,  , , \n")
    row = {"visitor_id": "v", "occurred_at": "2026-01-05", "event_name": "x"}
    home.drop("generic/b.jsonl", [row | dict.fromkeys(names, " ")])
    home.drop_parquet(
        "generic/c.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, "
        + ", ".join(f"' ' as {name}" for name in names),
    )
    home.drop("generic/d.jsonl", [row | {"occurred_at": "  "}])
    home.drop("ad_spend/a.csv", "date, campaign, cost, clicks\n2026-01-05, c, 5, \n")
    home.land()
    assert home.events(", ".join([*names, "unreadable"])) == [(None,) * 5] * 4
    assert home.rows("select cost, clicks, unreadable from raw.ad_spend") == [(5, None, None)]


def test_other_columns_become_properties_with_the_type_that_the_format_knows(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "generic/a.csv",
        'Visitor_ID ,"occurred_at",EVENT_NAME,properties,price,Shade,\n'
        'v,1767614400,x,"{""item"": ""a"", ""price"": 9}",12.5,red,last\n'
        "v,1767614400,x,,12.5,,\n",
    )
    home.drop(
        "generic/b.jsonl",
        [
            {
                **{"visitor_id": "v", " Occurred_At": 1767614400, "event_name": "x"},
                "properties": {"item": "a", "price": 9},
                **{"price": 12.5, "big": 9007199254740993, "tags": [1, "b"], "is_new": True},
                **{"nothing": None, "a/b~c": 1},
            }
        ],
    )
    home.drop_parquet(
        "generic/c.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name, "
        "{'item': 'a'} as properties, 12.5::double as price, 9007199254740993 as big, "
        "[1, 2] as tags, true as is_new, 'nan'::double as nothing, date '2026-01-05' as day",
    )
    home.land()
    assert [json.loads(text) for (text,) in home.events("properties")] == [
        {"item": "a", "price": 9, "Shade": "red", "column_7": "last"},
        {"price": "12.5"},
        {
            **{"item": "a", "price": 9, "big": 9007199254740993, "tags": [1, "b"]},
            **{"is_new": True, "a/b~c": 1},
        },
        {
            **{"item": "a", "price": 12.5, "big": 9007199254740993, "tags": [1, 2]},
            **{"is_new": True, "day": "2026-01-05"},
        },
    ]


def test_properties_that_are_no_json_object_are_unreadable_and_the_rest_of_the_row_stays(tmp_path):
    home = Home(tmp_path)
    long = "x" * 300
    texts = ["{bad", "[1]", '"a"', long, "{}", '{"a": {"b": null}}']
    rows = "".join(f'v,1767614400,x,"{text.replace(chr(34), chr(34) * 2)}",red\n' for text in texts)
    home.drop("generic/a.csv", "visitor_id,occurred_at,event_name,properties,shade\n" + rows)
    home.land()
    landed = home.events("visitor_id, properties, unreadable")
    assert [json.loads(properties) for _, properties, _ in landed[:5]] == [{"shade": "red"}] * 5
    assert [json.loads(unreadable or "{}") for _, _, unreadable in landed] == [
        *({"properties": text} for text in ("{bad", "[1]", '"a"', long[:200])),
        *({}, {}),
    ]


def test_a_very_large_and_a_very_deep_property_land(tmp_path):
    home = Home(tmp_path)
    large = json.dumps({"text": "x" * 10_000_000})
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    quoted = [text.replace('"', '""') for text in (large, deep)]
    home.drop(
        "generic/a.csv",
        "visitor_id,occurred_at,event_name,properties\n"
        + "".join(f'v,1767614400,x,"{text}"\n' for text in quoted)
        + "v,1767614400,y,\n",
    )
    lines = [
        f'{{"visitor_id":"v","occurred_at":1767614400,"event_name":"x","properties":{text},"b":1}}\n'
        for text in (large, deep)
    ]
    home.drop("generic/b.jsonl", "".join(lines))
    home.land()
    sizes = home.events("length(properties), unreadable")
    assert [size for size, _ in sizes] == [
        *(len(large), len(deep), None),
        # without the blank after the colon, and with the member b
        *(len(large) - 1 + 6, len(deep) + 6),
    ]
    assert {unreadable for _, unreadable in sizes} == {None}


def test_nul_characters_are_kept_and_kill_nothing(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER.strip() + ",shade\nv\0w,1767614400,x,a\0b\nv,\0,x,\n")
    row = {"visitor_id": "v\0w", "occurred_at": 1767614400, "event_name": "x"}
    home.drop("generic/b.jsonl", [row])
    home.drop("generic/c.jsonl", '{"visitor_id":"v\0w"}\n' + json.dumps(row) + "\n")
    home.drop_parquet(
        "generic/d.parquet",
        "select 'v' || chr(0) || 'w' as visitor_id, now() as occurred_at, 'x' as event_name",
    )
    home.land()
    assert home.events("visitor_id, properties, unreadable") == [
        ("v\0w", '{"shade":"a\\u0000b"}', None),
        ("v", None, '{"occurred_at":"\\u0000"}'),
        ("v\0w", None, None),
        (None, None, '{"row":"{\\"visitor_id\\":\\"v\\u0000w\\"}"}'),
        ("v\0w", None, None),
        ("v\0w", None, None),
    ]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ('7 as value, 8 as "Valu%"', "two of its columns are named value; keep one of them"),
        ('7 as "Valu%", 8 as value, 9 as value_1', "two of its columns are named value; keep one"),
        ("1 as __row", "the reader needs the name __row for itself; rename that column"),
        ("'x' as \"__ROW\"", "the reader needs the name __row for itself; rename that column"),
        ("'x' as __file", "the reader needs the name __file for itself; rename that column"),
        ("1 as file_row_number, 1 as rowid", "the reader needs the name rowid for itself"),
    ],
)
def test_a_parquet_column_that_would_be_taken_for_another_is_named(tmp_path, columns, reason):
    home = Home(tmp_path)
    path = home.drop_parquet(
        "generic/a.parquet",
        "select 'v' || n as visitor_id, '2026-01-05' as occurred_at, 'x' as event_name, "
        f"{columns} from range(3) as t(n)",
    )
    # DuckDB writes no two names that differ in case only
    path.write_bytes(path.read_bytes().replace(b"Valu%", b"Value"))
    ((name, said),) = home.land().set_aside
    assert name == "generic/a.parquet"
    assert said.startswith(reason)


@pytest.mark.parametrize(
    "columns",
    [
        "1 as value, 2 as value_1, 3 as shade_2, 4 as shade",
        "1 as value, {'value': 2, 'list': [{'value': 3}]} as value_1",
        '1 as value, 2 as shade, 3 as "Shade"',
    ],
)
def test_numbered_parquet_columns_are_columns_as_any(tmp_path, columns):
    home = Home(tmp_path)
    home.drop_parquet(
        "generic/a.parquet",
        f"select 'v' as visitor_id, '2026-01-05' as occurred_at, 'x' as event_name, {columns}",
    )
    home.land()
    assert home.events("value") == [(Decimal(1),)]


@pytest.mark.parametrize("name", ["generic/a.csv", "generic/a.parquet"])
def test_a_file_of_too_many_columns_is_set_aside(tmp_path, name):
    home = Home(tmp_path)
    if name.endswith("csv"):
        more = ",".join(f"c{number}" for number in range(5000))
        home.drop(name, f"{HEADER.strip()},{more}\n")
    else:
        more = ", ".join(f"1 as c{number}" for number in range(5000))
        home.drop_parquet(
            name, f"select 1 as visitor_id, 2 as occurred_at, 3 as event_name, {more}"
        )
    assert home.land().set_aside == [
        (name, "it has 5,003 columns, and no more than 5,000 are read")
    ]


def test_columns_may_come_and_go_between_files(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + "v,1767614400,x\n")
    home.drop("generic/b.csv", "value,event_name,visitor_id,occurred_at\n3,x,v,1767614400\n")
    home.drop("generic/c.csv", HEADER.strip() + ",value,shade\nv,1767614400,x,4,red\n")
    home.land()
    assert home.events("visitor_id, occurred_at, value, properties") == [
        ("v", NOON, None, None),
        ("v", NOON, Decimal(3), None),
        ("v", NOON, Decimal(4), '{"shade":"red"}'),
    ]


def test_every_declared_column_is_taken_from_every_format(tmp_path):
    home = Home(tmp_path)
    columns = [column.name for column in raw_tables()["generic_events"].file_columns]
    values = {name: f"a {name}" for name in columns}
    values |= {"occurred_at": "2026-01-05", "loaded_at": "2026-01-06", "properties": '{"a":1}'}
    values |= {"value": "3.25", "sequence": "4"}
    cells = ",".join('"' + values[name].replace('"', '""') + '"' for name in columns)
    home.drop("generic/a.csv", ",".join(columns) + "\n" + cells + "\n")
    home.drop("generic/b.jsonl", [values])
    home.drop_parquet(
        "generic/c.parquet",
        "from read_csv('{}', all_varchar = true)".format(
            home.settings.landing / "generic" / "a.csv"
        ),
    )
    home.land()
    rows = home.events(", ".join(columns))
    assert rows[0] == rows[1] == rows[2]
    typed = {"occurred_at": datetime(2026, 1, 5), "loaded_at": datetime(2026, 1, 6)}
    typed |= {"value": Decimal("3.25"), "sequence": 4}
    assert dict(zip(columns, rows[0], strict=True)) == values | typed


def test_spend_and_orders_are_read_by_their_own_columns(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "ad_spend/a.csv",
        "Date,Campaign,Cost,Clicks,Other\n20260105,brand,12.34,7,x\n2026-01-06,brand,,,x\n"
        "2026-01-07 00:00:00,brand,1,2,x\n05.01.2026,brand,free,2.5,x\n",
    )
    home.drop(
        "ad_spend/b.jsonl", [{"date": 20260105, "campaign": "c", "cost": 1, "currency": "EUR"}]
    )
    home.drop_parquet(
        "ad_spend/c.parquet",
        "select timestamp '2026-01-05 10:00' as date, 'c' as campaign, 1.5::float as cost, "
        "7::smallint as impressions",
    )
    home.drop_parquet(
        "ad_spend/d.parquet",
        "select cast(timestamptz '2026-01-06 00:30+01' as timestamptz_ns) as date, "
        "'d' as campaign, 2 as cost",
    )
    home.drop(
        "orders/a.csv", "order_id,value,ordered_at,status\n1,12.5,2026-01-05T10:00:00+01,paid\n"
    )
    home.land()
    assert home.events("date, campaign, cost, clicks, impressions, unreadable", "ad_spend") == [
        (date(2026, 1, 5), "brand", Decimal("12.34"), 7, None, None),
        (date(2026, 1, 6), "brand", None, None, None, None),
        (date(2026, 1, 7), "brand", Decimal(1), 2, None, None),
        (None, "brand", None, None, None, '{"date":"05.01.2026","clicks":"2.5","cost":"free"}'),
        (date(2026, 1, 5), "c", Decimal(1), None, None, None),
        (date(2026, 1, 5), "c", Decimal("1.5"), None, 7, None),
        (date(2026, 1, 5), "d", Decimal(2), None, None, None),
    ]
    assert home.events("order_id, value, ordered_at, status", "orders") == [
        ("1", Decimal("12.5"), datetime(2026, 1, 5, 9), "paid")
    ]


def test_a_time_is_no_number_where_a_number_is_declared(tmp_path):
    home = Home(tmp_path)
    event = {"visitor_id": "v", "occurred_at": "2026-01-05 10:00:00", "event_name": "x"}
    home.drop("generic/a.jsonl", [event | {"sequence": "2026-01-05 10:00:00"}])
    home.land()
    assert home.events("sequence, unreadable") == [(None, '{"sequence":"2026-01-05 10:00:00"}')]


@pytest.mark.parametrize("source", ["ad_spend", "orders"])
def test_what_is_said_of_spend_and_orders_names_every_column_that_a_file_may_have(source):
    known = LANDING_SOURCES[source]
    columns = [column.name for column in raw_tables()[known.raw_table].file_columns]
    assert sorted(re.findall(r"[a-z_]+", known.said.replace("are optional", ""))) == sorted(columns)
