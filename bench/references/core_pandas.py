"""The core in pandas: file by file down to narrow columns, then as core_duckdb.py does it.

All in memory and on one thread but for reading, so only for sizes that it can bear.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench.references import core


def compute(folder: Path) -> core.Core:
    """The core of the files below folder/generic."""
    files = sorted((folder / "generic").glob("*.parquet"))
    raw = 0
    narrow, names = [], {}
    for file in files:
        rows = pd.read_parquet(file, columns=list(core.COLUMNS), dtype_backend="pyarrow")
        raw += len(rows)
        narrow.append(_accepted(rows, names))
    events = pd.concat(narrow, ignore_index=True)
    kept = len(events)
    events = events.drop_duplicates("event_key").drop(columns="event_key")
    events = events.sort_values(["visitor_key", "moment", "sequence"], ignore_index=True)

    is_first = events["visitor_key"].ne(events["visitor_key"].shift())
    begins = is_first | events["moment"].diff().gt(core.TIMEOUT_MICROSECONDS)
    events["is_first"] = is_first
    events["visit"] = begins.cumsum()
    events["place"] = np.arange(len(events))

    started = events.groupby("visit", sort=False)["moment"].transform("min")
    events["part"] = (events["moment"] - started) // core.MAXIMUM_MICROSECONDS
    key = ["visit", "part"]
    grouped = events.groupby(key, sort=False)
    sessions = grouped.agg(
        visitor_key=("visitor_key", "first"),
        started_at=("moment", "min"),
        events=("moment", "size"),
        is_first=("is_first", "max"),
    )
    carrying = events[events["source_key"] != 0].drop_duplicates(key).set_index(key)["source_key"]
    sessions["source"] = carrying.map(names).reindex(sessions.index).fillna("(direct)")
    is_new = sessions["is_first"] & (sessions.index.get_level_values("part") == 0)
    sessions["visitor_type"] = np.where(is_new, "new", "returning")
    sessions["day"] = sessions["started_at"] // core.DAY_MICROSECONDS
    sessions["date"] = pd.to_datetime(sessions["day"], unit="D").dt.strftime("%Y-%m-%d")

    # the sorted events hold each first time before its repetitions
    trials = []
    for code, micro in enumerate(core.MICROS, 1):
        first = events[events["code"] == code].drop_duplicates(key).set_index(key)
        sessions[f"has_{code}"] = first["moment"].reindex(sessions.index).notna()
        of_micro = first[["moment", "place", "visitor_key"]].join(
            sessions[["date", "day", "source", "visitor_type"]]
        )
        trials.append(of_micro.assign(micro=micro))
    trials = pd.concat(trials, ignore_index=True)

    orders = events[events["code"] == core.MACRO_CODE].sort_values(["moment", "sequence"])
    orders = orders.drop_duplicates("order_key")
    booked = orders.groupby(key)["value"].agg(orders="size", value="sum")
    sessions = sessions.join(booked).fillna({"orders": 0, "value": 0})

    columns = ["date", "source", "visitor_type"]
    counted = {f"has_{code}": "sum" for code in range(1, len(core.MICROS) + 1)}
    daily = (
        sessions.assign(sessions=1)
        .groupby(columns)
        .agg({"sessions": "sum", "events": "sum", **counted, "orders": "sum", "value": "sum"})
    )
    trials["since_midnight"] = trials["moment"] - trials["day"] * core.DAY_MICROSECONDS
    firsts = trials.groupby(["date", "micro"])["since_midnight"].agg(["size", "sum"])
    following = pd.merge_asof(
        trials.sort_values("place"),
        orders[["visitor_key", "place", "moment"]]
        .rename(columns={"moment": "ordered_at"})
        .sort_values("place"),
        on="place",
        by="visitor_key",
        direction="forward",
        allow_exact_matches=False,
    )
    delay = following["ordered_at"] - following["moment"]
    following["is_success"] = delay <= core.HORIZON_MICROSECONDS
    rates = following.groupby(["micro", "source", "visitor_type"])["is_success"].agg(
        ["size", "sum"]
    )
    totals = {
        "accepted": len(events),
        "duplicates": kept - len(events),
        "refused": raw - kept,
        "sessions": len(sessions),
        "orders": len(orders),
    }
    return core.core_of(totals, _rows(daily), _rows(firsts), _rows(rates))


def _accepted(rows: pd.DataFrame, names: dict[int, str]) -> pd.DataFrame:
    """The accepted rows of one file as numbers; adds the sources behind the hashes to names."""
    bots = core.bots_among(rows["user_agent"].dropna().unique())
    latest = pd.Timestamp.now("UTC").tz_localize(None) + pd.Timedelta(days=1)
    refused = rows["consent_analytics"].str.lower().isin(core.REFUSED_CONSENT)
    is_in_time = rows["occurred_at"].between(pd.Timestamp(core.PROJECT_START), latest)
    keep = (
        rows["visitor_id"].notna()
        & is_in_time.fillna(False)
        & ~refused
        & ~rows["user_agent"].isin(bots)
    )
    rows = rows[keep.to_numpy(dtype=bool)].reset_index(drop=True)
    name = rows["event_name"]
    code = np.zeros(len(rows), dtype="uint8")
    for number, (event, member, threshold) in enumerate(core.MICROS.values(), 1):
        of_event = (name == event).to_numpy(dtype=bool)
        if member:
            met = [
                _number(json.loads(text).get(member)) >= threshold if text else False
                for text in rows.loc[of_event, "properties"].tolist()
            ]
            of_event[of_event] = met
        code[of_event] = number
    is_order = (name == core.MACRO).to_numpy(dtype=bool)
    code[is_order] = core.MACRO_CODE

    known = {column: _known(rows[column]) for column in ("source", "medium", "campaign")}
    has_click = rows["gclid"].notna().to_numpy()
    carries = has_click.copy()
    for column in known.values():
        carries |= column.notna().to_numpy()
    source, medium = known["source"], known["medium"]
    repaired = has_click & (source.isna() | (medium.str.lower() == "organic").fillna(False))
    source = source.fillna("(direct)").mask(repaired.to_numpy(dtype=bool), "google")
    source_key = np.zeros(len(rows), dtype="uint64")
    source_key[carries] = _hash(source[carries])
    names.update(
        zip(_hash(pd.Series(source[carries].unique())), source[carries].unique(), strict=True)
    )

    order_key = np.zeros(len(rows), dtype="uint64")
    value = np.zeros(len(rows), dtype="int64")
    if is_order.any():
        ids = rows.loc[is_order, "order_id"]
        without = ids.isna() | ids.str.strip().str.lower().isin(core.NO_ORDER_ID)
        ids = ids.mask(without.to_numpy(dtype=bool), rows.loc[is_order, "event_id"])
        order_key[is_order] = _hash(ids)
        value[is_order] = (
            (rows.loc[is_order, "value"].astype("float64") * 100).round().astype("int64")
        )
    return pd.DataFrame(
        {
            "event_key": _hash(rows["event_id"]),
            "visitor_key": _hash(rows["visitor_id"]),
            "moment": rows["occurred_at"].astype("datetime64[us]").to_numpy().astype("int64"),
            "sequence": rows["sequence"].to_numpy(dtype="int64"),
            "code": code,
            "source_key": source_key,
            "order_key": order_key,
            "value": value,
        }
    )


def _known(column: pd.Series) -> pd.Series:
    text = column.str.strip()
    return text.mask(text.str.lower().isin(core.UNKNOWN_TEXT).to_numpy(dtype=bool))


def _hash(texts: pd.Series) -> np.ndarray:
    return pd.util.hash_array(texts.to_numpy(dtype=object), categorize=False)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("-inf")


def _rows(table: pd.DataFrame) -> list[tuple]:
    return [tuple(row) for row in table.reset_index().itertuples(index=False)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.references.core_pandas")
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    arguments = parser.parse_args()
    core.write(compute(arguments.folder), arguments.result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
