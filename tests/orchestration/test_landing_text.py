"""Damaged and unusual text files: one bad row costs one row, a bad file costs one file."""

import gzip
import io
import json

import pytest
from test_landing_home import HEADER, ROW, Home

from orchestration.landing import mending
from orchestration.landing import run as landing_run
from orchestration.landing.warehouse import Warehouse

GOOD = {"visitor_id": "v", "occurred_at": 1767614400, "event_name": "x"}


def broken_rows(home: Home) -> list[str]:
    """The texts of the rows that could not be taken apart, in order."""
    return [
        json.loads(unreadable)["row"]
        for (unreadable,) in home.events("unreadable")
        if unreadable and "row" in json.loads(unreadable)
    ]


def test_a_csv_row_with_a_wrong_number_of_fields_is_kept_as_one_unreadable_row(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "generic/a.csv",
        HEADER + "v1,2026-01-05,x\nv2,2026-01-05\n\nv3,2026-01-05,x,y\nv4,2026-01-05,x\n",
    )
    result = home.land()
    assert home.events("row_number, visitor_id, event_name") == [
        *((1, "v1", "x"), (2, None, None), (3, None, None), (4, "v4", "x"))
    ]
    assert broken_rows(home) == ["v2,2026-01-05", "v3,2026-01-05,x,y"]
    assert result.sources["generic"].unreadable_rows == 2


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "generic/a.csv",
        HEADER + 'v1,2026-01-05,"open\nv2,2026-01-05,x\nv3,2026-01-05,"two\nlines, ""one"" row"\n'
        'v4,2026-01-05,"stray" quote\nv5,2026-01-05,x\nv6,2026-01-05,"again\nv7,2026-01-05,x\n',
    )
    home.land()
    assert [visitor for (visitor,) in home.events("visitor_id") if visitor] == [
        *("v2", "v3", "v5", "v7")
    ]
    assert ('two\nlines, "one" row',) in home.events("event_name")
    assert broken_rows(home) == [
        *('v1,2026-01-05,"open', 'v4,2026-01-05,"stray" quote', 'v6,2026-01-05,"again')
    ]


def test_a_line_without_end_costs_itself_and_never_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mending, "LONGEST_LINE", 100)
    monkeypatch.setattr(mending, "SKIPPED_AT_ONCE", 7)
    home = Home(tmp_path)
    endless = "no comma, " * 400
    home.drop("generic/a.csv", f"{HEADER}{ROW}{endless}\n{ROW}{endless}")
    home.drop("generic/b.jsonl.gz", f"{json.dumps(GOOD)}\n{endless}\n{json.dumps(GOOD)}\n{endless}")
    home.drop("generic/c.csv", f"{HEADER}{ROW}v,2026-01-05,{'x' * 200}\nbroken\n{ROW}")
    home.drop("generic/d.csv", f"{HEADER.strip()},{endless}\n{ROW}")
    read = []
    readline = io.TextIOWrapper.readline

    class Text(io.TextIOWrapper):
        def readline(self, size=-1):
            read.append(size)
            return readline(self, size)

    monkeypatch.setattr(mending.io, "TextIOWrapper", Text)
    assert home.land().set_aside == [
        ("generic/d.csv", "its first line has 100 characters and more")
    ]
    assert home.rows("select file_name, count(*), count(visitor_id) from raw.generic_events "
                     "group by file_name order by file_name") == [
        ("a.csv", 4, 2), ("b.jsonl.gz", 4, 2), ("c.csv", 4, 2),
    ]  # fmt: skip
    assert {*read} == {100, 7}
    assert [len(row) for row in broken_rows(home)] == [100, 100, 100, 100, 100, 6]


def test_a_csv_cut_in_the_middle_of_a_row_keeps_what_is_whole(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", HEADER + ROW + "v2,2026-01-")
    home.land()
    assert home.events("visitor_id") == [("v1",), (None,)]
    assert broken_rows(home) == ["v2,2026-01-"]


def test_a_text_that_is_not_utf8_is_unreadable_and_never_another_text(tmp_path):
    home = Home(tmp_path)
    header = HEADER.strip() + ",campaign\n"
    home.drop(
        "generic/a.csv",
        (header + "v1,2026-01-05,x,café\ncafé,2026-01-05,x,sale\n").encode("latin-1"),
    )
    home.drop(
        "generic/b.jsonl",
        json.dumps(GOOD | {"campaign": "ä"}, ensure_ascii=False).encode("latin-1"),
    )
    path = home.drop_parquet(
        "generic/c.parquet",
        "select unnest(['v', 'w']) as visitor_id, now() as occurred_at, 'x' as event_name, "
        "unnest(['cafe', 'sale']) as campaign",
    )
    path.write_bytes(path.read_bytes().replace(b"cafe", b"caf\xe9"))
    home.land()
    assert home.events("visitor_id, campaign, unreadable") == [
        ("v1", None, '{"campaign":"caf\ufffd"}'),
        (None, "sale", '{"visitor_id":"caf\ufffd"}'),
        ("v", None, '{"campaign":"\ufffd"}'),
        ("v", None, '{"campaign":"caf?\ufffd"}'),
        ("w", "sale", None),
    ]


def test_line_ends_of_every_system_are_read(tmp_path):
    home = Home(tmp_path)
    for ending in ("\n", "\r\n", "\r"):
        text = (HEADER + ROW + ROW.replace("v1", "v2")).replace("\n", ending)
        home.drop(f"generic/{len(ending)}{ord(ending[0])}a.csv", text)
        # several line ends in one file send it to the slower reader
        mixed = "v3,2026-01-05,x\nv4,2026-01-05,x\r\n"
        home.drop(f"generic/{len(ending)}{ord(ending[0])}b.csv", text + mixed)
    home.land()
    assert [visitor for (visitor,) in home.events("visitor_id")] == [
        *("v1", "v2", "v1", "v2", "v3", "v4")
    ] * 3
    assert broken_rows(home) == []


def test_a_carriage_return_inside_a_value_is_no_end_of_a_row(tmp_path):
    home = Home(tmp_path)
    rows = 'v1,2026-01-05,"a\rb"\nv2,2026-01-05,c\rd\n'
    home.drop("generic/a.csv", HEADER + rows)
    home.drop("generic/b.csv", HEADER + rows + "broken\n")
    home.drop("generic/c.jsonl", "{bad\rline\n" + json.dumps(GOOD) + "\r\n")
    home.land()
    assert home.events("visitor_id, event_name") == [
        *(("v1", "a\rb"), ("v2", "c\rd"), ("v1", "a\rb"), ("v2", "c\rd"), (None, None)),
        *((None, None), ("v", "x")),
    ]
    assert broken_rows(home) == ["broken", "{bad\rline"]


def test_blank_lines_before_the_header_are_no_rows(tmp_path):
    home = Home(tmp_path)
    text = HEADER + ROW
    home.drop("generic/a.csv", "\n" + text)
    home.drop("generic/b.csv", text)
    home.drop("generic/c.csv", ("\n\n" + text).replace("\n", "\r\n"))
    home.drop("generic/d.csv", ("\n" + text).replace("\n", "\r"))
    home.drop("generic/e.csv", "\ufeff\n \t\n" + text)
    home.drop("generic/f.csv.gz", "\n\n" + text)
    home.drop("generic/g.csv", "\n" + text + "broken\n")
    home.land()
    assert home.events("file_name, row_number, visitor_id") == [
        *((f"{name}.csv", 1, "v1") for name in "abcde"),
        ("f.csv.gz", 1, "v1"),
        ("g.csv", 1, "v1"),
        ("g.csv", 2, None),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    home = Home(tmp_path)
    home.drop("generic/a.csv", "\ufeff" + HEADER + ROW)
    home.drop("generic/b.csv", '\ufeff"visitor_id",occurred_at,event_name\n' + ROW + "bad\n")
    home.drop("generic/c.jsonl", "\ufeff" + json.dumps(GOOD) + "\n")
    home.land()
    assert home.events("visitor_id") == [("v1",), ("v1",), (None,), ("v",)]


def test_a_delimiter_under_which_the_header_holds_the_needed_columns_is_taken(tmp_path):
    home = Home(tmp_path)
    for number, delimiter in enumerate(";\t|"):
        home.drop(f"generic/{number}a.csv", (HEADER + ROW).replace(",", delimiter))
        home.drop(f"generic/{number}b.csv", (HEADER + ROW + "a,b\n").replace(",", delimiter))
    home.land()
    assert (
        home.events("visitor_id, event_name")
        == [*(("v1", "page_view"), ("v1", "page_view"), (None, None))] * 3
    )


def test_text_with_tabs_lands_under_its_own_ending_too(tmp_path):
    home = Home(tmp_path)
    text = (HEADER + ROW).replace(",", "\t")
    home.drop("generic/a.tsv", text)
    home.drop("generic/b.tsv.gz", text.replace("v1", "v2"))
    home.land()
    assert home.events("visitor_id, event_name") == [("v1", "page_view"), ("v2", "page_view")]


def test_a_file_that_cannot_become_rows_is_set_aside_in_words_and_stops_nothing(tmp_path):
    home = Home(tmp_path)
    csv, packed = (HEADER + ROW).encode(), gzip.compress((HEADER + ROW).encode())
    files = {
        "names.csv": (
            "visitor_id,event\nv,x\n",
            "it lacks the needed columns occurred_at, event_name (found: visitor_id, event)",
        ),
        "twice.csv": (HEADER.strip() + ",Visitor_Id\n", "two of its columns are named visitor_id"),
        "rows.csv": (HEADER + "one\ntwo\n", "none of its rows can be read; the first is: one"),
        "utf16.csv": (csv.decode().encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
        "zip.csv": (b"PK\x03\x04\x00\x00\xff", "it is no text but a zip archive, as an Excel"),
        "packed.csv": (packed, "it is no text but compressed by gzip; add .gz to its name"),
        "packed.json": (gzip.compress(b"{}"), "it is no text but compressed by gzip; add .gz"),
        "cut.csv.gz": (packed[:30], "the gzip file is cut off"),
        "plain.csv.gz": (csv + b"x", "it is not a whole gzip file"),
        "sum.csv.gz": (packed[:-8] + b"\0" * 8, "it is not a whole gzip file"),
        "empty.csv.gz": (b"", "it has no bytes at all"),
        "array.jsonl": ('[{"visitor_id": 1},\n{"visitor_id": 2}]\n', "it holds a JSON array"),
        "pretty.json": ('{\n"visitor_id": 1\n}\n', "no line of it holds a JSON object"),
        "keys.jsonl": (
            '{"visitor_id": 1, "b": 2}\n',
            "it lacks the needed keys occurred_at, event_name (found: b, visitor_id)",
        ),
        "empty.parquet": (b"", "it has 0 bytes, too few for a Parquet file"),
        "text.parquet": (csv + b"y", "it is not a Parquet file"),
        "secret.parquet": (b"PARE" + b"x" * 20 + b"PARE", "it is an encrypted Parquet file"),
        "hollow.parquet": (b"PAR1" + b"x" * 20 + b"PAR1", "it cannot be read ("),
    }
    for name, (content, _) in files.items():
        home.drop(f"generic/{name}", content)
    home.drop("generic/good.csv", HEADER + ROW)
    result = home.land()
    reasons = dict(result.set_aside)
    assert {name: reasons[f"generic/{name}"][: len(r)] for name, (_, r) in files.items()} == {
        name: reason for name, (_, reason) in files.items()
    }
    # each is the end of a sentence
    assert not [reason for reason in reasons.values() if reason[-1] in ".?!"]
    for name in files:
        assert home.aside(f"generic/{name}.reason.txt").read_text() == (
            f"generic/{name} was set aside: {reasons[f'generic/{name}']}.\n"
        )
    assert home.events("visitor_id") == [("v1",)]
    assert (
        dict(
            home.rows(
                "select 'generic/' || file_name, reason from raw.loads where reason is not null"
            )
        )
        == reasons
    )


def test_a_parquet_file_cut_in_the_middle_is_set_aside(tmp_path):
    home = Home(tmp_path)
    path = home.drop_parquet(
        "generic/a.parquet",
        "select 'v' as visitor_id, now() as occurred_at, 'x' as event_name from range(10000)",
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = home.land()
    assert result.set_aside == [
        ("generic/a.parquet", "the Parquet file is cut off (the mark at its end is missing)")
    ]
    assert home.events("visitor_id") == []


def test_a_malformed_json_line_is_kept_as_one_unreadable_row(tmp_path):
    home = Home(tmp_path)
    lines = [json.dumps(GOOD), "{bad", "", "[1, 2]", "null", json.dumps(GOOD) * 2, '{"visitor_id"']
    lines.insert(5, '{"visitor_id": "\\ud800"}')
    home.drop("generic/a.jsonl", "\n".join([*lines, json.dumps(GOOD | {"visitor_id": "w"})]))
    home.land()
    assert home.events("row_number, visitor_id")[0] == (1, "v")
    assert home.events("row_number, visitor_id")[-1] == (8, "w")
    assert broken_rows(home) == [line for line in lines[1:] if line]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("cut", [b'{"visitor_id": "b", "occ', b'{"a": {"b": 1}', b'{"a": "\xc3'])
def test_a_json_line_that_is_cut_off_is_never_read_beside_other_files(
    tmp_path, monkeypatch, ending, cut
):
    home = Home(tmp_path)
    read: list[list[str]] = []
    write_batch = Warehouse.write_batch

    def noting(self, batch, *rest):
        read.append([candidate.file.name.split(".")[0] for candidate in batch])
        return write_batch(self, batch, *rest)

    monkeypatch.setattr(Warehouse, "write_batch", noting)
    whole = json.dumps(GOOD).encode()
    longer_than_the_tail = json.dumps(GOOD | {"pad": "p" * 100_000}).encode()
    for name, content in {
        "a": whole + b"\n" + cut,
        "b": whole + b"\n",
        "c": b'{"x": 1}\n' + whole + b" ",
        "d": whole + b"\n" + longer_than_the_tail,
    }.items():
        packed = gzip.compress(content) if ending.endswith(".gz") else content
        home.drop(f"generic/{name}{ending}", packed)
    home.land()
    assert sorted(read) == [["a"], ["a"], ["b", "c"], ["d"]]
    assert home.rows("select row_count from raw.loads order by file_name") == [
        *[(2,), (1,), (2,), (2,)]
    ]
    assert len(broken_rows(home)) == 1


def test_keys_of_json_may_be_spelled_differently_from_line_to_line(tmp_path):
    home = Home(tmp_path)
    home.drop(
        "generic/a.jsonl",
        [GOOD, {"Visitor_ID": "w", "occurred_at ": "2026-01-05", "EVENT_NAME": "y"}, {"other": 1}],
    )
    home.land()
    assert home.events("visitor_id, event_name, occurred_at is null, properties") == [
        ("v", "x", False, None),
        ("w", "y", False, None),
        (None, None, True, '{"other":1}'),
    ]


def test_an_object_that_gives_one_column_in_two_spellings_sets_its_file_aside(tmp_path):
    home = Home(tmp_path)
    spend = {"date": "2026-01-05", "campaign": "c"}
    home.drop("ad_spend/a.jsonl", [spend | {"cost": 1}, spend | {"cost": 2, "Cost": 3}])
    home.drop("ad_spend/b.jsonl", [spend | {"cost": 4, "Cost": None}, spend | {"Cost": 5}])
    broken = json.dumps(spend | {"cost": 6, "COST": 7}) + "\n{broken\n"
    home.drop("ad_spend/c.jsonl", broken)
    home.land()
    assert home.rows("select file_name, cost from raw.ad_spend order by cost") == [
        ("b.jsonl", 4),
        ("b.jsonl", 5),
    ]
    for name in ("a", "c"):
        assert "two of its keys of one object are named cost; keep one of them" in (
            home.aside(f"ad_spend/{name}.jsonl.reason.txt").read_text()
        )


def test_row_numbers_follow_the_file_also_when_several_threads_read_it(tmp_path):
    home = Home(tmp_path)
    # larger than one read buffer of either reader
    count = 40_000
    padding = "p" * 1000
    home.drop(
        "generic/a.csv",
        HEADER + "".join(f'{n},1767614400,"{padding}\n,{n}"\n' for n in range(1, count + 1)),
    )
    home.drop(
        "generic/b.jsonl",
        "".join(
            f'{{"visitor_id":{n},"occurred_at":1767614400,"event_name":"{padding}"}}\n'
            for n in range(1, count + 1)
        ),
    )
    home.drop_parquet(
        "generic/c.parquet",
        f"select n as visitor_id, now() as occurred_at, 'x' as event_name, 1 as file_row_number "
        f"from range(1, {count + 1}) as t(n)",
    )
    home.land()
    assert home.rows(
        "select file_name, count(*), count(*) filter (visitor_id = row_number::varchar) "
        "from raw.generic_events group by file_name order by file_name"
    ) == [(name, count, count) for name in ("a.csv", "b.jsonl", "c.parquet")]


def test_many_small_files_are_read_in_few_statements(tmp_path, monkeypatch):
    home = Home(tmp_path)
    for number in range(120):
        home.drop(f"generic/{number:04}.csv", HEADER + f"{number},1767614400,x\n" * 2)
    statements = []
    stage = landing_run.reading.stage

    def counted(*arguments, **options):
        statements.append(1)
        return stage(*arguments, **options)

    monkeypatch.setattr(landing_run, "BATCH_FILES", 50)
    monkeypatch.setattr(landing_run.reading, "stage", counted)
    result = home.land()
    assert result.files_landed == 120
    assert len(statements) == 3
    assert home.rows(
        "select count(*), count(distinct load_id), min(row_number), max(row_number), "
        "bool_and(file_name = lpad(visitor_id, 4, '0') || '.csv') from raw.generic_events"
    ) == [(240, 120, 1, 2, True)]


def test_a_report_with_titles_above_its_header_is_set_aside_with_the_word_of_them(tmp_path):
    home = Home(tmp_path)
    report = 'Campaign report\n"January 5, 2026 - January 5, 2026"\ndate,campaign,cost\n'
    home.drop("ad_spend/report.csv", report + "2026-01-05,Brand,10.00\n")
    home.drop("ad_spend/columns.csv", "Day,Campaign,Amount spent (USD)\n2026-01-05,Brand,10.00\n")
    home.land()
    reasons = {
        name: home.aside(f"ad_spend/{name}.csv.reason.txt").read_text()
        for name in ("report", "columns")
    }
    assert "delete titles that stand above" in reasons["report"]
    assert "delete titles" not in reasons["columns"]
