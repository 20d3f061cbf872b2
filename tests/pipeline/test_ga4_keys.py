"""A GA4 event has no id of its own: its key follows the id that is made of all it says."""

from itertools import combinations
from typing import Any

import pytest
from pipeline.homes import Workshop

Row = dict[str, Any]


def param(key: str, **value: Any) -> Row:
    return {"key": key, "value": value}


BASE: Row = {
    "event_name": "view_item",
    "event_timestamp": 1767614400000000,
    "user_pseudo_id": "v",
    "stream_id": "1",
    "batch_page_id": 3,
}
SESSION = param("ga_session_id", int_value=5)
PARAMS = [SESSION, param("a", int_value=1), param("b", string_value="x")]
SAME: dict[str, Row] = {
    "as it came": BASE | {"event_params": PARAMS},
    "in another order": BASE | {"event_params": PARAMS[::-1]},
    "with what the daily export fills in": BASE
    | {
        "event_params": [
            *PARAMS,
            param("source", string_value="google"),
            param("gclid", string_value="G1"),
            param("empty"),
        ]
    },
}
OTHERS: dict[str, Row] = {
    "another value": BASE | {"event_params": [*PARAMS[:2], param("b", string_value="y")]},
    "another number": BASE | {"event_params": [SESSION, param("a", int_value=2), PARAMS[2]]},
    "values exchanged": BASE
    | {"event_params": [SESSION, param("a", string_value="x"), param("b", int_value=1)]},
    "a float": BASE | {"event_params": [SESSION, param("a", double_value=1.5), PARAMS[2]]},
    "another float": BASE | {"event_params": [SESSION, param("a", double_value=2.5), PARAMS[2]]},
    "a parameter less": BASE | {"event_params": PARAMS[:2]},
    "a parameter twice": BASE | {"event_params": [*PARAMS, PARAMS[1]]},
    "another session": BASE | {"event_params": [param("ga_session_id", int_value=6), *PARAMS[1:]]},
    "no parameters": BASE | {"event_params": []},
    "another page of the batch": BASE | {"event_params": PARAMS, "batch_page_id": 4},
    "another number of the upload": BASE
    | {"event_params": PARAMS, "event_bundle_sequence_id": 3, "batch_page_id": None},
    "another moment": BASE | {"event_params": PARAMS, "event_timestamp": 1767614400000001},
    "another visitor": BASE | {"event_params": PARAMS, "user_pseudo_id": "w"},
    "another stream": BASE | {"event_params": PARAMS, "stream_id": "2"},
    "another name": BASE | {"event_params": PARAMS, "event_name": "view_cart"},
}


@pytest.fixture(scope="module")
def identities(workshop: Workshop) -> dict[str, tuple[str, int]]:
    """Case → id and key of its event."""
    home = workshop.home("ga4_keys")
    cases = SAME | OTHERS | {"no list of parameters": BASE}
    # declared columns that a row leaves out are null
    home.drop("ga4", "events_20260105", list(cases.values()))
    home.night(select=["stg_ga4__events"])
    rows = home.query("select event_id, event_key from staging.stg_ga4__events order by row_number")
    return {
        case: (row["event_id"], row["event_key"]) for case, row in zip(cases, rows, strict=True)
    }


def test_an_event_keeps_its_id_and_key_however_the_export_writes_it(identities) -> None:
    assert len({identities[case] for case in SAME}) == 1
    assert identities["no list of parameters"] == identities["no parameters"]


@pytest.mark.parametrize("part", [0, 1], ids=["id", "key"])
def test_events_that_differ_in_anything_else_differ_in_both(identities, part) -> None:
    alike = [
        (one, other)
        for one, other in combinations(["as it came", *OTHERS], 2)
        if identities[one][part] == identities[other][part]
    ]
    assert alike == []
