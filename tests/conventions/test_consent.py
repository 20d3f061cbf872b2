"""Nothing by which an ad platform knows a person or a click leaves the lower floors.

So denied consent to advertising needs no filter above them: there is nothing to send.
"""

import re
from pathlib import Path

import reading

ROOT = Path(__file__).resolve().parents[2]
CLICK_IDS = ("gclid", "gbraid", "wbraid", "fbclid", "dclid", "msclkid", "click_id")
PERSONAL = (*CLICK_IDS, "email", "phone", "user_id", "user_agent", "ip_address", "properties")


def test_no_public_column_names_a_person_or_a_click() -> None:
    marts = [model for model in reading.models(ROOT) if model.floor == "marts"]
    assert len(marts) > 5
    columns = {(m.name, column["name"]) for m in marts for column in m.properties["columns"]}
    assert [place for place in columns if place[1] in PERSONAL] == []


def test_no_model_above_the_intermediate_floor_reads_a_click_id() -> None:
    upper = [m for m in reading.models(ROOT) if m.floor in ("valuation", "marts")]
    assert len(upper) > 20
    assert [m.name for m in upper if re.search(rf"\b({'|'.join(CLICK_IDS)})\b", m.code)] == []
