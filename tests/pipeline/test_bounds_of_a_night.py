"""A night that touches the end of a long past, and leaves what a full refresh leaves.

The histories of the promise reach into all months each night, so nothing is ever left as it was.
Here the second night changes the last two months of eight, on the very days by which a table is
read, and no earlier one.
Belongs here: that past, that night, and what must hold behind it. Does not belong here: which
bounds are broken (test_broken_on_purpose.py).
"""

from datetime import date

from pipeline.homes import Home, Workshop, differences, differing_tables

Rows = list[dict[str, str]]
PURCHASE = ("view_item", "add_to_cart", "purchase")
VERSION_DATE = date(2025, 7, 1)


def visit(visitor: str, day: str, *names: str, **columns: str) -> Rows:
    """Events a minute apart, from 10 o'clock of a day of 2025 on."""
    return [
        {
            **{"visitor_id": visitor, "occurred_at": f"2025-{day} 10:{minute:02}:00"},
            **{"event_name": name, "user_id": "", "source": "", "medium": "", "campaign": ""},
            **{"value": "20" if name == "purchase" else "", "order_id": "", **columns},
        }
        for minute, name in enumerate(names)
    ]


LETTER = {"source": "newsletter", "medium": "email", "campaign": "weekly"}
SALE = {"source": "google", "medium": "cpc", "campaign": "sale"}


def spend(day: str, cost: str) -> dict[str, str]:
    return {"date": f"2025-{day}", **SALE, "impressions": "9", "clicks": "3", "cost": cost}


def past(home: Home) -> None:
    """Who comes back every three weeks, who came in one month only, spend with and without visits,
    an order of July that is given back in August."""
    rows: Rows = []
    for month in range(1, 9):
        rows += visit("regular", f"{month:02}-03", "view_item", **LETTER)
        rows += visit("regular", f"{month:02}-24", *PURCHASE)
        rows += visit(f"once {month}", f"{month:02}-12", "view_item", "search", **SALE)
    # silent for longer than a look-back since the first day of June, where a path began in May
    rows += visit("first of june", "05-20", "view_item", **LETTER)
    rows += visit("first of june", "06-01", "view_item", **SALE)
    # a path of two devices
    rows += visit("old phone", "05-20", "view_item", "login", user_id="fred", **LETTER)
    rows += visit("new phone", "06-12", "view_item", "login", user_id="fred", **SALE)
    # an order of June that is credited to May, by how June's paths went on
    rows += visit("two ways", "05-22", "view_item", **SALE)
    rows += visit("two ways", "06-05", *PURCHASE, **LETTER)
    rows += visit("comes back", "05-20", "view_item", **SALE)
    rows += visit("comes back", "06-12", "view_item", **LETTER)
    # the step of the 10th follows the view of the day before within its window
    rows += visit("decides", "07-09", "view_item")
    rows += visit("hesitates", "07-06", "view_item")
    rows += visit("hesitates", "07-09", "view_item")
    rows += visit("hesitates", "07-10", "add_to_cart", occurred_at="2025-07-10 09:30:00")
    rows += [
        {**event, "event_id": f"{number} of a tie", "occurred_at": "2025-07-11 10:00:00"}
        for number in range(6)
        for event in visit(
            "ties", "07-11", f"act {number}", page_url=f"https://shop.example/{number}"
        )
    ]
    rows += visit("gives back", "07-05", "view_item", **SALE)
    rows += visit("gives back", "07-12", *PURCHASE, order_id="B1")
    rows += visit("gives back later", "07-26", *PURCHASE, order_id="B2")
    # an order of which a copy will come that was sooner
    rows += visit("second", "07-26", *PURCHASE, order_id="B3")
    rows += visit("back office", "08-05", "refund", order_id="B1")
    # over midnight, into a day on which nothing changes
    rows += visit("night owl", "07-28", "view_item", occurred_at="2025-07-28 23:58:00")
    rows += visit("night owl", "07-29", "add_to_cart", occurred_at="2025-07-29 00:03:00")
    # two devices that will turn out to be one person
    rows += visit("phone", "07-15", "view_item", "login", user_id="anna")
    rows += visit("laptop", "07-18", *PURCHASE, **SALE)
    rows += visit("shared", "07-22", "login", user_id="bert")
    # one person, who will have come with the other device before the order
    rows += visit("pad", "07-06", "login", user_id="gina")
    rows += visit("desk", "07-25", *PURCHASE, user_id="gina", **LETTER)
    # one person, until the device of the first visit turns out to be somebody else's
    rows += visit("couch", "07-14", "view_item", "login", user_id="hans", **SALE)
    rows += visit("shelf", "07-19", *PURCHASE, user_id="hans", **LETTER)
    # one person, until the device of the second step turns out to be somebody else's
    rows += visit("tablet", "07-09", "view_item", "login", user_id="dora")
    rows += visit(
        "watch", "07-10", "add_to_cart", user_id="dora", occurred_at="2025-07-10 09:40:00"
    )
    home.drop("generic", "past", rows)
    home.drop("ad_spend", "past", [spend("03-12", "5"), spend("07-29", "7"), spend("08-12", "9")])


def arrivals(home: Home) -> None:
    """From 10 July on, but for the spend of a day in March that is restated."""
    rows = visit("comes back", "07-10", "view_item", **SALE)
    rows += visit("decides", "07-10", "add_to_cart", occurred_at="2025-07-10 09:20:00")
    rows += visit("hesitates", "07-10", "search", occurred_at="2025-07-10 09:20:00")
    rows += visit("ties", "07-11", "search", occurred_at="2025-07-11 10:05:00")
    rows += visit("laptop", "07-20", "login", user_id="anna")
    # it comes later, but was not the last one
    rows += visit("shared", "07-16", "login", user_id="cleo")
    rows += visit("watch", "07-10", "login", user_id="emil", occurred_at="2025-07-10 09:50:00")
    rows += visit("couch", "07-14", "login", user_id="ida", occurred_at="2025-07-14 10:20:00")
    rows += visit("pad", "07-21", "view_item", **SALE)
    rows += visit("sooner", "07-22", *PURCHASE, order_id="B3")
    rows += visit("back office", "08-14", "refund", order_id="B2")
    rows += visit("night owl", "07-28", "search", occurred_at="2025-07-28 23:50:00")
    rows += visit("once 8", "08-12", "add_to_cart", **SALE)
    rows += visit("late buyer", "08-13", "view_item", **LETTER)
    rows += visit("regular", "08-25", *PURCHASE)
    # the visit of the order that was given back came from elsewhere
    rows += visit("gives back", "07-12", "search", occurred_at="2025-07-12 09:50:00", **LETTER)
    home.drop("generic", "arrivals", rows)
    home.drop("ad_spend", "arrivals", [spend("03-12", "6"), spend("08-14", "4")])


def second_night(home: Home, version: bool = False) -> None:
    if version:
        home.quarter(VERSION_DATE)
    arrivals(home)
    home.night()


def refreshed(home: Home, name: str) -> Home:
    copy = home.copy(name)
    copy.night(full_refresh=True)
    return copy


def behind_the_past(workshop: Workshop, name: str) -> Home:
    home = workshop.home(name)
    past(home)
    home.night()
    return home


def test_a_night_at_the_end_of_a_long_past_leaves_what_a_full_refresh_leaves(
    workshop: Workshop,
) -> None:
    home = behind_the_past(workshop, "past")
    second_night(home)
    months = home.query("select distinct month from valuation.val_channel_transitions")
    assert len(months) == 8
    said = differences(*differing_tables(home, refreshed(home, "past_refreshed")))
    assert not said, "\n".join(said)
