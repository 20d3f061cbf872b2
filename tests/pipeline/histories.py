"""Rows as a shop's sources write them, and one history with every hard case in it.

Belongs here: rows and the nights on which they arrive. Does not belong here: files and runs
(homes.py), what the rows should come to (the tests).
"""

import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

GENERIC_COLUMNS = (
    *("visitor_id", "occurred_at", "event_name", "event_id", "user_id", "sequence", "page_url"),
    *("properties", "value", "currency", "order_id", "source", "medium", "campaign", "gclid"),
    *("fbclid", "device_category", "country", "user_agent", "consent_analytics", "session_id"),
    "channel_group",
)
TRAFFIC = (
    ("google", "cpc", "brand shoes"),
    ("google", "cpc", "spring sale"),
    ("google", "organic", None),
    ("facebook.com", "social", None),
    ("newsletter", "email", "weekly"),
    ("blog.example", "referral", None),
    (None, None, None),
)
ACTS = (
    *("page_view", "page_view", "page_view", "view_item", "scroll", "gallery_next", "gallery_next"),
    *("search", "sign_up", "add_to_wishlist", "add_to_cart", "begin_checkout", "purchase"),
)
BOT = "Mozilla/5.0 (compatible; Examplebot/2.1)"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"
NIGHTS = 4


def generic_event(visitor: str | None, at: datetime | str, name: str, **columns: Any) -> Row:
    """One row of a generic file; every column is there, so that equal rows are equal."""
    row: Row = {"visitor_id": visitor, "occurred_at": str(at), "event_name": name, **columns}
    if isinstance(row.get("properties"), dict):
        row["properties"] = json.dumps(row["properties"])
    return {column: row.get(column) for column in GENERIC_COLUMNS}


def ga4_event(
    visitor: str | None,
    at: datetime,
    name: str,
    params: Row | None = None,
    user_id: str | None = None,
    revenue: float | None = None,
    order_id: str | None = None,
    **columns: Any,
) -> Row:
    """One row of a GA4 export."""
    microseconds = round((at - datetime(1970, 1, 1)).total_seconds() * 1_000_000)
    typed = {str: "string_value", int: "int_value", float: "double_value"}
    return {
        "event_date": f"{at:%Y%m%d}",
        "event_timestamp": microseconds,
        "event_name": name,
        "event_params": [
            {"key": key, "value": {typed[type(value)]: value}}
            for key, value in (params or {}).items()
        ],
        "user_id": user_id,
        "user_pseudo_id": visitor,
        "device": {"category": "mobile"},
        "geo": {"country": "Austria"},
        "ecommerce": {"purchase_revenue": revenue, "transaction_id": order_id},
        "platform": "WEB",
        **columns,
    }


class Arrivals:
    """Rows by the night on which they arrive and by source."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))

    def add(self, night: int, source: str, *rows: Row) -> None:
        self.rows[night][source] += rows


def hard_history(seed: int = 20260701) -> Arrivals:
    """About sixty visitors, some hundred events, on four nights and from all sources.

    Everything lies between March 2024 and June 2025; what happened first need not arrive first.
    """
    arrivals = Arrivals()
    _boundaries_of_sessions(arrivals)
    _late_events(arrivals)
    _repeated_rows(arrivals)
    _repeated_orders(arrivals)
    _refunds(arrivals)
    _people(arrivals)
    _refused_rows(arrivals)
    _machines(arrivals)
    _restated_spend_and_orders(arrivals)
    _groups_of_the_sources_own(arrivals)
    _ordinary_visitors(arrivals, random.Random(seed))
    return arrivals


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _boundaries_of_sessions(arrivals: Arrivals) -> None:
    day = at("2025-05-05 10:00:00")
    half_hour = timedelta(minutes=30)
    for visitor, gap in (("equal", half_hour), ("longer", half_hour + timedelta(seconds=1))):
        # the later event arrives first
        arrivals.add(1, "generic", generic_event(visitor, day + gap, "add_to_cart"))
        arrivals.add(2, "generic", generic_event(visitor, day, "view_item", source="blog.example"))
    midnight = at("2025-05-05 23:50:00")
    arrivals.add(0, "generic", generic_event("midnight", midnight, "page_view"))
    arrivals.add(
        2, "generic", generic_event("midnight", midnight + timedelta(minutes=20), "search")
    )
    for night, sequence, name in ((0, 3, "add_to_cart"), (1, 1, "view_item"), (3, 2, "purchase")):
        arrivals.add(
            night,
            "generic",
            generic_event("tie", day, name, sequence=sequence, event_id=f"tie-{9 - sequence}"),
        )
    for night, event_id, source in ((2, "b", "newsletter"), (0, "c", "google"), (3, "a", None)):
        # without a sequence the event id decides which source was first
        arrivals.add(
            night,
            "generic",
            generic_event("tie by id", day, "page_view", event_id=event_id, source=source),
        )
    # longer than a day; the one event that holds it together arrives last
    for number in range(70):
        night = 3 if number == 20 else number % 3
        arrivals.add(
            night,
            "generic",
            generic_event(
                "display",
                at("2025-04-28 06:00:00") + timedelta(minutes=25 * number),
                "add_to_cart" if number in (3, 64) else "page_view",
                page_url=f"https://shop.example/{number}?x=1",
            ),
        )


def _late_events(arrivals: Arrivals) -> None:
    day = at("2025-05-12 09:00:00")

    def minutes(number: int) -> datetime:
        return day + timedelta(minutes=number)

    # one visit when the event between arrives: cart in the first half, purchase in the second
    arrivals.add(
        0,
        "generic",
        generic_event("joined", minutes(0), "page_view", source="google", medium="organic"),
        generic_event("joined", minutes(5), "add_to_cart"),
        generic_event("joined", minutes(55), "purchase", value=70, order_id="J1"),
        generic_event("joined", minutes(600), "page_view"),
    )
    arrivals.add(2, "generic", generic_event("joined", minutes(30), "scroll"))
    # a year late, and with it every later visit gets another number
    arrivals.add(
        0,
        "generic",
        generic_event("year", minutes(0), "view_item"),
        generic_event("year", minutes(900), "purchase", value=30),
    )
    arrivals.add(
        3, "generic", generic_event("year", at("2024-03-02 12:00:00"), "page_view", source="bing")
    )
    # an earlier start, with another source and the purchase in front of the cart
    arrivals.add(
        1,
        "generic",
        generic_event("earlier", minutes(0), "add_to_cart", source="newsletter", medium="email"),
        generic_event("earlier", minutes(10), "page_view"),
    )
    arrivals.add(
        2,
        "generic",
        generic_event("earlier", minutes(-20), "purchase", value=12, source="t.co"),
        generic_event("earlier", minutes(-25), "page_view", gclid="click"),
    )
    # the third look at the gallery is enough, and the first one arrives last
    arrivals.add(0, "generic", generic_event("gallery", minutes(2), "gallery_next"))
    arrivals.add(1, "generic", generic_event("gallery", minutes(3), "gallery_next"))
    arrivals.add(3, "generic", generic_event("gallery", minutes(1), "gallery_next"))
    # the next step of a funnel, a day later and in another visit
    arrivals.add(0, "generic", generic_event("sleeper", at("2025-05-20 20:00:00"), "view_item"))
    arrivals.add(3, "generic", generic_event("sleeper", at("2025-05-21 10:00:00"), "add_to_cart"))
    # the same visitor in both sources, and the GA4 part is late
    arrivals.add(
        0,
        "generic",
        generic_event("both", minutes(0), "page_view", page_url="https://shop.example/a"),
        generic_event("both", minutes(40), "view_item"),
    )
    arrivals.add(
        3,
        "ga4",
        ga4_event("both", minutes(20), "view_item", {"source": "bing", "medium": "cpc"}),
        ga4_event("both", minutes(-500), "purchase", {"currency": "USD"}, None, 55.5, "B1"),
    )


def _repeated_rows(arrivals: Arrivals) -> None:
    day = at("2025-05-13 15:00:00")
    cart = generic_event("twice", day, "add_to_cart", properties={"value": 10})
    arrivals.add(0, "generic", cart, cart)
    arrivals.add(2, "generic", cart, generic_event("twice", day, "page_view"))
    arrivals.add(3, "generic", cart)
    # an id that comes again with other words: what landed first holds
    arrivals.add(1, "generic", generic_event("words", day, "view_item", event_id="w1"))
    arrivals.add(
        3,
        "generic",
        generic_event("words", day + timedelta(hours=3), "purchase", value=5, event_id="w1"),
        generic_event("words", day + timedelta(hours=4), "page_view", event_id="w2"),
    )
    # refused first, right later, and then once more
    refused = generic_event("mended", day, "view_item", event_id="m1", consent_analytics="denied")
    right = generic_event("mended", day, "view_item", event_id="m1")
    arrivals.add(0, "generic", refused)
    arrivals.add(1, "generic", right)
    arrivals.add(2, "generic", right, refused)
    view = ga4_event("g twice", day, "view_item", {"ga_session_id": 7, "page_location": "shop/a"})
    arrivals.add(1, "ga4", view, view)
    arrivals.add(3, "ga4", view)


def _repeated_orders(arrivals: Arrivals) -> None:
    first, year_later = at("2024-05-20 11:00:00"), at("2025-05-20 11:00:00")
    arrivals.add(
        0, "generic", generic_event("order", first, "purchase", value=40, order_id="ORDER-A")
    )
    arrivals.add(
        3,
        "generic",
        generic_event("order", year_later, "purchase", value=41, order_id="ORDER-A"),
        generic_event("order", year_later, "purchase", value=8, order_id="(not set)"),
        generic_event("other", year_later, "purchase", value=9, order_id="(not set)"),
    )
    # here the earlier twin is the one that arrives late, from another visitor and source
    arrivals.add(
        1,
        "generic",
        generic_event("twin", year_later - timedelta(minutes=5), "add_to_cart"),
        generic_event("twin", year_later, "purchase", value=60, order_id="ORDER-B"),
    )
    arrivals.add(3, "ga4", ga4_event("g twin", first, "purchase", {}, None, 61.25, "ORDER-B"))


def _refunds(arrivals: Arrivals) -> None:
    def refund(order_id: str | None, minute: int, **columns: Any) -> Row:
        moment = at("2025-05-28 09:00:00") + timedelta(minutes=minute)
        return generic_event("back office", moment, "refund", order_id=order_id, **columns)

    # twice the same event; then more than was left of the order
    part = refund("ORDER-A", 0, value=15, event_id="refund-1")
    arrivals.add(1, "generic", part)
    arrivals.add(2, "generic", part, refund("ORDER-A", 5, value=100))
    # all of it, and the refund arrives before its order
    arrivals.add(0, "generic", refund("ORDER-B", 10), refund("unheard of", 15, value=7))
    arrivals.add(3, "generic", refund(None, 20, value=7))
    # the orders table says it as well, and says it again in the next file
    arrivals.add(0, "generic", refund("P1", 25, value=20))
    row = {"order_id": "P1", "ordered_at": "2025-06-02", "value": "-20", "currency": "USD"}
    arrivals.add(2, "orders", row)
    arrivals.add(3, "orders", row)


def _people(arrivals: Arrivals) -> None:
    day = at("2025-03-10 20:00:00")
    # two devices of one person; the second logs in only later, and that arrives last
    arrivals.add(
        0,
        "generic",
        generic_event("phone", day, "view_item", source="facebook.com"),
        generic_event("phone", day + timedelta(minutes=2), "login", user_id="anna"),
        generic_event("laptop", day + timedelta(days=2), "purchase", value=90, order_id="P1"),
    )
    arrivals.add(
        3,
        "generic",
        generic_event("laptop", day + timedelta(days=80), "login", user_id="anna"),
    )
    # a shared device: the last login in time holds, whichever arrives last
    arrivals.add(
        1,
        "generic",
        generic_event("shared", day, "page_view"),
        generic_event("shared", day + timedelta(days=5), "login", user_id="bert"),
        generic_event("shared", day + timedelta(days=6), "purchase", value=20, order_id="P2"),
    )
    arrivals.add(
        2, "generic", generic_event("shared", day + timedelta(days=1), "login", user_id="cleo")
    )
    arrivals.add(2, "ga4", ga4_event("g tablet", day, "login", {}, "bert"))


def _refused_rows(arrivals: Arrivals) -> None:
    day = at("2025-05-14 08:00:00")
    for night in range(NIGHTS):
        moment = day + timedelta(minutes=night)
        arrivals.add(
            night,
            "generic",
            generic_event("no consent", moment, "page_view", consent_analytics="denied"),
            generic_event("bot", moment, "page_view", user_agent=f"{BOT} {night}"),
            generic_event("unreadable", f"yesterday {night}", "page_view"),
            generic_event(None, moment, "page_view"),
            generic_event("too old", at("1999-01-01 00:00:00"), "page_view"),
            generic_event("no rate", moment, "purchase", value=5, currency="XTS"),
            generic_event("money", moment, "purchase", value="a lot"),
        )
        arrivals.add(
            night,
            "ga4",
            ga4_event(None, moment, "page_view", privacy_info={"analytics_storage": "No"}),
            ga4_event(None, moment, "page_view"),
        )
    # nothing of this visitor is ever accepted but one event, which comes between
    arrivals.add(1, "generic", generic_event("bot", day, "page_view", user_agent=BROWSER))


def _machines(arrivals: Arrivals) -> None:
    """One event more than a person could make in a minute; of the second one buys something."""
    start = at("2025-05-19 04:00:00")
    for visitor in ("machine", "hasty buyer"):
        for number in range(301):
            arrivals.add(
                number % NIGHTS,
                "generic",
                generic_event(visitor, start, "page_view", event_id=f"{visitor} {number}"),
            )
    arrivals.add(
        2,
        "generic",
        generic_event("hasty buyer", start + timedelta(minutes=9), "purchase", value=3),
    )


def _restated_spend_and_orders(arrivals: Arrivals) -> None:
    def spend(day: str, campaign: str, cost: str, **columns: Any) -> Row:
        base = {"date": day, "source": "google", "medium": "cpc", "campaign": campaign}
        return {**base, "impressions": 1000, "clicks": 40, "cost": cost, **columns}

    doubled = spend("2025-05-06", "brand shoes", "31.5000")
    arrivals.add(0, "ad_spend", spend("2025-05-05", "brand shoes", "30"), doubled, doubled)
    arrivals.add(
        2,
        "ad_spend",
        spend("2025-05-05", "brand shoes", "33.25", clicks=44),
        spend("2025-05-06", "spring sale", "12"),
        spend("2025-05-06", "nobody came", "7"),
    )
    arrivals.add(
        3,
        "ad_spend",
        spend("2025-05-06", "spring sale", "12.34"),
        spend("2025-05-07", "spring sale", "much"),
        spend("2025-05-07", "brand shoes", "8", currency="XTS"),
    )

    def order(number: str, value: str, status: str = "paid") -> Row:
        return {
            "order_id": number,
            "ordered_at": "2025-05-12 10:00:00",
            "value": value,
            "currency": "USD",
            "status": status,
        }

    arrivals.add(0, "orders", order("J1", "71"), order("never seen", "5"))
    arrivals.add(1, "orders", order("J1", "72.5"), order("J1", "73"), order("ORDER-B", "59"))
    arrivals.add(3, "orders", order("J1", "0", "cancelled"), order("P1", "88.8888"))
    arrivals.add(3, "orders", *(order(f"O{number}", f"{number}.5") for number in range(0, 30, 3)))


def _groups_of_the_sources_own(arrivals: Arrivals) -> None:
    """What most sessions of a day say of their channel changes with what lands late, and with it
    the channel of the cost."""
    traffic = {"source": "google", "medium": "cpc", "campaign": "own groups"}
    said = ((0, 5, "Ads A"), (1, 5, "Ads B"), (2, 5, "Ads B"), (1, 6, None), (3, 6, "Ads A"))
    for number, (night, day, group) in enumerate((*said, (2, 7, "Ads A"), (3, 7, "Ads C"))):
        moment = at(f"2025-05-0{day} 15:00:00")
        row = generic_event(
            f"grouped {number}", moment, "page_view", channel_group=group, **traffic
        )
        arrivals.add(night, "generic", row)
    for night, days in ((0, (4, 5)), (2, (6, 7, 8))):
        for day in days:
            spent = {"date": f"2025-05-0{day}", "impressions": 9, "clicks": 2, "cost": f"{day}"}
            arrivals.add(night, "ad_spend", {**spent, **traffic})


def _ordinary_visitors(arrivals: Arrivals, rng: random.Random) -> None:
    """Chance fills what was not thought of; each event arrives on a night of its own."""
    gaps = (0, 0, 5, 40, 600, 1799, 1800, 1801, 5000)
    for number in range(40):
        visitor = f"v{number}"
        is_ga4 = number % 3 == 0
        user = f"user {number % 11}" if number % 4 == 0 else None
        moment = at("2025-01-15 00:00:00") + timedelta(seconds=rng.randrange(100 * 86400))
        for _ in range(rng.randint(1, 4)):
            source, medium, campaign = rng.choice(TRAFFIC)
            for step in range(rng.randint(1, 6)):
                moment += timedelta(seconds=rng.choice(gaps) if step else 0)
                act = rng.choice(ACTS)
                is_order = act == "purchase"
                order_id = rng.choice(("(not set)", None, f"O{rng.randrange(30)}"))
                traffic = {"source": source, "medium": medium, "campaign": campaign}
                login = user if rng.random() < 0.15 else None
                if is_ga4:
                    params = {key: text for key, text in traffic.items() if text and step < 2}
                    if act == "scroll":
                        params["percent_scrolled"] = rng.choice((50, 75, 90))
                    row = ga4_event(
                        visitor,
                        moment,
                        act,
                        params,
                        login,
                        float(rng.randrange(1, 9000)) / 100 if is_order else None,
                        order_id if is_order else None,
                        batch_ordering_id=rng.randrange(3),
                    )
                else:
                    row = generic_event(
                        visitor,
                        moment,
                        act,
                        user_id=login,
                        sequence=rng.choice((None, 1, 2)),
                        page_url=f"https://shop.example/{act}?n={step}",
                        properties={"percent_scrolled": rng.choice((50, 75, 90))},
                        value=f"{rng.randrange(1, 90000) / 100:.2f}" if is_order else None,
                        order_id=order_id if is_order else None,
                        user_agent=BOT if rng.random() < 0.03 else BROWSER,
                        device_category=rng.choice(("desktop", "mobile", None)),
                        **(traffic if step < 2 else {}),
                    )
                copies = 2 if rng.random() < 0.1 else 1
                for _ in range(copies):
                    arrivals.add(rng.randrange(NIGHTS), "ga4" if is_ga4 else "generic", row)
            moment += timedelta(hours=rng.randrange(1, 700))


def shop_history(version_moment: datetime, seed: int = 7, visitors: int = 420) -> list[Row]:
    """Generic rows of a small shop from 165 days before a moment until 30 days after it.

    Carts lead to orders, some of them weeks later; around the moment lie the cases that a value
    version could get wrong: visits and logins that go on past it, trials at the edges.
    """
    rng = random.Random(seed)
    rows: list[Row] = []
    begin = version_moment - timedelta(days=165)
    for number in range(visitors):
        visitor, moment = f"s{number}", begin + timedelta(seconds=rng.randrange(175 * 86400))
        # two visitors in seven share a login with another one
        user = f"user {number // 2}" if number % 7 < 2 else None
        while moment < version_moment + timedelta(days=30):
            moment = _visit(rows, rng, visitor, user, moment)
            if rng.random() < 0.3:
                break
            moment += timedelta(hours=rng.choice((1, 9, 30, 100, 400, 700)) * rng.random())
            moment = moment.replace(microsecond=0)
    _edges_of_a_version(rows, version_moment)
    return rows


def _visit(
    rows: list[Row], rng: random.Random, visitor: str, user: str | None, moment: datetime
) -> datetime:
    source, medium, campaign = rng.choice(TRAFFIC)
    intends = rng.random() < (0.5 if campaign == "brand shoes" else 0.15)
    acts = ["page_view", *rng.choices(ACTS[3:10], k=rng.randint(0, 5))]
    if rng.random() < (0.8 if intends else 0.1):
        acts.append("add_to_cart")
    if rng.random() < (0.5 if intends else 0.03):
        acts += ["begin_checkout", "purchase"]
    if rng.random() < 0.1:
        # a cart behind the order did not lead to it
        acts.append("add_to_cart")
    for step, act in enumerate(acts):
        rows.append(
            generic_event(
                visitor,
                moment,
                act,
                event_id=f"{visitor}-{len(rows)}",
                # an order in the same second as the act before it is told apart by the sequence
                sequence=step,
                user_id=user if rng.random() < 0.2 else None,
                properties={"percent_scrolled": rng.choice((50, 75, 90))},
                value=f"{rng.lognormvariate(4, 0.8):.2f}" if act == "purchase" else None,
                order_id=f"order {len(rows)}" if act == "purchase" and len(rows) % 3 else None,
                source=source,
                medium=medium,
                campaign=campaign,
            )
        )
        moment += timedelta(seconds=rng.choice((0, 7, 45, 300)))
    return moment


def orders_of(rows: list[Row], factor: float) -> list[Row]:
    """The orders table of a shop: what its numbered orders came to, times a factor."""
    return [
        {
            "order_id": row["order_id"],
            "ordered_at": row["occurred_at"],
            "value": f"{float(row['value']) * factor:.2f}",
            "currency": "USD",
            "status": "paid",
        }
        for row in rows
        if row["order_id"]
    ]


def _edges_of_a_version(rows: list[Row], version_moment: datetime) -> None:
    def add(visitor: str, before: timedelta, act: str, **columns: Any) -> None:
        name = f"{visitor}-{len(rows)}"
        rows.append(generic_event(visitor, version_moment - before, act, event_id=name, **columns))

    day, minute, second = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
    for number in range(8):
        # begun before the moment: what follows it is not yet known to the version
        visitor = f"midnight {number}"
        # ... and for half of them where they came from
        source = {"source": "google", "medium": "organic"}
        add(visitor, 10 * minute, "view_item", **(source if number % 2 else {}))
        add(visitor, second, "add_to_wishlist")
        add(visitor, -1 * number * minute, "add_to_cart", **source)
        add(visitor, -8 * minute, "purchase", value="500")
    for number in range(6):
        # bought as a visitor without a name, who turns out later to be somebody with carts
        add(f"known later {number}", 20 * day, "add_to_cart")
        add(f"known later {number}", 19 * day, "login", user_id=f"late {number}")
        add(f"stranger {number}", 15 * day, "purchase", value="90")
        add(f"stranger {number}", -5 * day, "login", user_id=f"late {number}")
    # the last moment of the horizon counts, the next second does not
    for visitor, delay in (("in time", 30 * day), ("too late", 30 * day + second)):
        add(visitor, 60 * day, "add_to_cart")
        add(visitor, 60 * day - delay, "purchase", value="33")
    # the first and the last second of what trials and state values are read from
    for days in (90, 120):
        for visitor, before in ((f"in {days}", days * day), (f"out {days}", days * day + second)):
            add(visitor, before, "add_to_cart", source="newsletter", medium="email")
            add(visitor, before - minute, "purchase", value="61.07")
    for visitor, before in (("all its time", 30 * day + second), ("a second young", 30 * day)):
        add(visitor, before, "search", source="newsletter", medium="email")
        add(visitor, before, "purchase", value="77.77", sequence=1)
    add("rich", 40 * day, "add_to_cart")
    add("rich", 39 * day, "purchase", value="25000", order_id="R1")
    add("rich", -3 * day, "purchase", value="25000", order_id="R1")
    add("no price", 12 * day, "purchase")
    # on one tick of the clock the sequence decides
    add("tick before", 50 * day, "add_to_wishlist", sequence=1)
    add("tick before", 50 * day, "purchase", value="21", sequence=2)
    add("tick after", 50 * day, "add_to_wishlist", sequence=2)
    add("tick after", 50 * day, "purchase", value="21", sequence=1)
