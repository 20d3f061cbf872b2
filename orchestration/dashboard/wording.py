"""Numbers, names and sentences as the page writes them.

Belongs here: the text of one value. Does not belong here: where it stands (page.html.j2).
"""

from typing import Any

from orchestration.one_line import one_line
from orchestration.report import money as money_in_report
from orchestration.report import over
from orchestration.report import percent as percent_in_report

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
LONGEST_NAME = 120
LONGEST_TEXT = 400


def change(now: float | None, before: float | None) -> str | None:
    """By how much of what was there before, with its sign; none where that says nothing."""
    share = over(now, before)
    if share is None:
        return None
    text = f"{100 * (share - 1):+,.1f} %"
    return "\N{PLUS-MINUS SIGN}0.0 %" if text in ("+0.0 %", "-0.0 %") else text.replace("-", MINUS)


def count(value: float | None) -> str:
    return ABSENT if value is None else f"{value:z,.0f}".replace("-", MINUS)


def money(value: float | None) -> str:
    return ABSENT if value is None else money_in_report(value).replace("-", MINUS)


def signed_money(value: float | None) -> str:
    text = money(value)
    return f"+{text}" if value is not None and value > 0 and text != "0.00" else text


def percent(value: float | None) -> str:
    """A share, 0 to 1, as the report writes it."""
    return ABSENT if value is None else percent_in_report(value, 1).replace("-", MINUS)


def ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{value:z,.2f}".replace("-", MINUS)


def name(value: Any) -> str:
    """Text that came with the data, on one line and of bounded length."""
    return _bounded(value, LONGEST_NAME)


def words(value: Any) -> str:
    """A sentence of a mart, or a name of the project's own as words."""
    text = _bounded(value, LONGEST_TEXT)
    return text if " " in text else text.replace("_", " ")


def _bounded(value: Any, longest: int) -> str:
    return ABSENT if value is None else one_line(value, longest)


FILTERS = {
    "count": count,
    "money": money,
    "percent": percent,
    "signed": signed_money,
    "ratio": ratio,
    "name": name,
    "words": words,
}
