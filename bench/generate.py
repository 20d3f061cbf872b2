"""Event files of any size in the generic format, the same ones for the same arguments.

Belongs here: which rows there are and how they are written. Does not belong here: behaviour with a
known truth (orchestration/simulation), measuring (measure.py).

Every number is a hash of the seed, the session and the place in it, so a day's file is made by
itself, in one pass, whatever the size of the whole. A file holds what arrived on its day: the day's
sessions, late ones of the three days before, and what yesterday's sent again.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb

SHAPES = ("many_light", "few_heavy")
# the first day after it begins a quarter, so a version of the values can read up to it
LAST_DAY = date(2026, 6, 30)
# so that no day lies before the first that the project accepts
MOST_DAYS = 4_000
MOST_EVENTS = 10_000_000_000
EVENTS_PER_SESSION = 10
SESSIONS_PER_LIGHT_VISITOR = 3
EVENTS_PER_HEAVY_VISITOR = 5_000
LONGEST_DELAY = 3
FUTURE = "2099-01-01"

# what happens in a session, in thousandths; the steps of a purchase come at its end
EVENT_SHARES = {
    "page_view": 330,
    "view_item": 200,
    "scroll": 160,
    "view_item_list": 80,
    "video_progress": 60,
    "gallery_next": 50,
    "search": 40,
    "select_item": 30,
    "add_to_cart": 20,
    "add_to_wishlist": 10,
    "view_cart": 8,
    "begin_checkout": 5,
    "add_payment_info": 2,
    "sign_up": 2,
    "login": 3,
}
PURCHASE_STEPS = ("add_to_cart", "begin_checkout", "add_payment_info", "purchase", "purchase")

# source, medium, campaign, share in hundredths, purchases in ten thousand sessions
CHANNELS = (
    (None, None, None, 22, 180),
    ("(direct)", "(none)", None, 4, 180),
    ("google", "organic", None, 20, 160),
    ("google", "cpc", "brand_search", 12, 380),
    ("google", "cpc", "generic_search", 12, 200),
    ("facebook", "paid_social", "spring_prospecting", 9, 90),
    ("newsletter", "email", "weekly_letter", 8, 330),
    ("bing", "cpc", "generic_search", 4, 190),
    ("instagram", "social", None, 4, 80),
    ("partner.example", "referral", None, 3, 150),
    ("youtube", "video", "product_films", 2, 70),
)
PAID = tuple(channel for channel in CHANNELS if channel[1] in ("cpc", "paid_social", "video"))
COUNTRIES = ("DE", "US", "GB", "FR", "CZ", "AT", "PL", "ES")
CATEGORIES = ("shoes", "jackets", "rucksacks", "tents", "stoves", "maps", "lamps", "gloves")
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "python-requests/2.32.3",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/126.0.0.0 Safari/537.36",
)


@dataclass(frozen=True)
class Size:
    """How much is written. events and days are those of the base; nights come on top."""

    events: int
    days: int
    nights: int = 0
    shape: str = "many_light"
    seed: int = 1
    last_day: date = LAST_DAY

    @property
    def sessions_per_day(self) -> int:
        return max(1, round(self.events / self.days / EVENTS_PER_SESSION))

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def heavy_visitors(self) -> int:
        return max(40, self.events // EVENTS_PER_HEAVY_VISITOR)


@dataclass
class Written:
    """What stands in the files: the truth that the outcome of every row is held against."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    orders: int = 0
    bytes: int = 0


def generate(
    size: Size,
    folder: Path,
    memory_limit: str = "4GB",
    threads: int = 2,
    report: Callable[[str], None] | None = None,
) -> Written:
    """Write the files of `size` below folder: base/ and night_1/, night_2/ … with the landing
    folders `generic` and `ad_spend` in each, and written.json with what they hold.

    A night's file has as many events as a day of the base. Returns what the base holds.
    """
    if size.shape not in SHAPES:
        raise ValueError(f"shape is '{size.shape}'; known shapes: {', '.join(SHAPES)}")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; files of another size would be read with these")
    parts: dict[str, Written] = {}
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{memory_limit}'; set threads = {threads}")
        connection.execute("set preserve_insertion_order = false; set timezone = 'UTC'")
        # by default below the folder in which one happens to stand
        connection.execute(f"set temp_directory = '{_quoted(folder)}/spill'")
        for day in range(size.days + size.nights):
            part = "base" if day < size.days else f"night_{day - size.days + 1}"
            _write_day(connection, size, day, folder / part, parts.setdefault(part, Written()))
            if report and day % 10 == 9:
                report(f"{day + 1} of {size.days + size.nights} days written")
        for part in parts:
            _write_spend(connection, size, part, folder / part / "ad_spend")
    said = {"size": {**asdict(size), "last_day": size.last_day.isoformat()}}
    said |= {part: asdict(written) for part, written in parts.items()}
    (folder / "written.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return parts["base"]


def _write_day(
    connection: duckdb.DuckDBPyConnection, size: Size, day: int, part: Path, written: Written
) -> None:
    (part / "generic").mkdir(parents=True, exist_ok=True)
    file = part / "generic" / f"events_{size.first_day + timedelta(days=day)}.parquet"
    connection.execute(f"create or replace temp table arrived as {_arrived(size, day)}")
    connection.execute(
        f"copy ({_wide(size)}) to '{_quoted(file)}' (format parquet, compression zstd)"
    )
    rows, accepted, duplicates, refused, orders = connection.execute(
        """
        select
            count(*),
            count(*) filter (fault = 0 and copy_number = 0 and not is_sent_again),
            count(*) filter (fault = 0 and (copy_number > 0 or is_sent_again)),
            count(*) filter (fault > 0),
            count(*) filter (
                name = 'purchase' and fault = 0 and copy_number = 0 and not is_sent_again
                and (place = length - 1 or not has_order_id)
            )
        from arrived
        """
    ).fetchall()[0]
    written.rows += rows
    written.accepted += accepted
    written.duplicates += duplicates
    written.refused += refused
    written.orders += orders
    written.bytes += file.stat().st_size


def _draw(salt: int, *of: str, below: int) -> str:
    """SQL: a whole number from 0 to below - 1, always the same for the same arguments."""
    return f"cast(hash({', '.join(of)}, {salt}) % {below} as bigint)"


def _share(salt: int, *of: str) -> str:
    """SQL: a number from 0 to below 1."""
    return f"(cast(hash({', '.join(of)}, {salt}) % 16777216 as double) / 16777216)"


def _cases(of: str, shares: Sequence[tuple[int, str]]) -> str:
    """SQL: the value whose part of the range `of` falls into."""
    bound, whens = 0, []
    for share, value in shares[:-1]:
        bound += share
        whens.append(f"when {of} < {bound} then {value}")
    return f"case {' '.join(whens)} else {shares[-1][1]} end"


def _list(values: Sequence[object]) -> str:
    return "[" + ", ".join("null" if v is None else f"'{v}'" for v in values) + "]"


def _sessions(size: Size, day: int) -> str:
    """SQL: sessions that began on the day, one row each, as numbers only."""
    if size.shape == "few_heavy":
        # the busiest visitors have a multiple of the others' sessions
        visitor = f"cast(floor({size.heavy_visitors} * pow({_share(1, 'session')}, 1.5)) as bigint)"
        visitor_of = f"{visitor} as visitor"
    else:
        # each day some visitors come for the first time; they come back for some weeks
        cohort = max(1, size.sessions_per_day // SESSIONS_PER_LIGHT_VISITOR)
        age = f"least(75, cast(floor(-15 * ln(1 - {_share(2, 'session')})) as bigint))"
        number = _draw(3, "session", below=cohort)
        visitor_of = f"({day} - {age} + 100) * 100000000 + {number} as visitor"
    channel = _cases(
        _draw(4, "session", below=100), [(c[3], str(i)) for i, c in enumerate(CHANNELS)]
    )
    chance = _list([c[4] for c in CHANNELS]).replace("'", "")
    return f"""
        select
            *,
            {_draw(5, "session", below=10_000)} < {chance}[channel + 1] as buys,
            case
                when {_draw(5, "session", below=10_000)} < {chance}[channel + 1]
                    then greatest(least_length, 7) + reloads
                else least_length
            end as length
        from (
            select
                session,
                number,
                {visitor_of},
                {channel} as channel,
                -- most come by day
                cast(86399 * (0.5 + 0.5 * (2 * {_share(6, "session")} - 1)
                    * abs(2 * {_share(7, "session")} - 1)) as bigint) as start_second,
                least(60, 1 + cast(floor(-9.3 * ln(1 - {_share(8, "session")})) as bigint))
                    as least_length,
                -- one thank-you page in fifty is loaded twice
                case when {_draw(9, "session", below=50)} = 0 then 1 else 0 end as reloads,
                {_draw(10, "session", below=1000)} as delivery,
                1 + {_draw(11, "session", below=LONGEST_DELAY)} as delay,
                {_draw(12, "session", below=10_000)} as manners,
                {_draw(13, "session", below=100)} as pause,
                {_draw(14, "session", below=100)} < 97 as has_order_id
            from (
                select
                    hash({size.seed}, {day}, range) as session,
                    range as number
                from range({size.sessions_per_day})
            )
        )
    """


# delivery, in thousandths of sessions: wholly late, late from the middle on, sent again next day
WHOLLY_LATE, HALF_LATE, SENT_AGAIN = 7, 13, 17


def _arrived(size: Size, day: int) -> str:
    """SQL: the events that arrived on the day, one row for each copy, as numbers only."""
    parts = []
    for began in range(max(0, day - LONGEST_DELAY), day + 1):
        delay = day - began
        whole, half = f"delivery < {WHOLLY_LATE}", f"delivery < {HALF_LATE}"
        second_half = "2 * place >= length"
        if delay == 0:
            parts.append(
                f"""select *, false as is_sent_again from ({_events(size, began, "true")})
                where not ({whole}) and not ({half} and {second_half})"""
            )
            continue
        late = f"delivery < {HALF_LATE} and delay = {delay}"
        parts.append(
            f"""select *, false as is_sent_again from ({_events(size, began, late)})
            where {whole} or {second_half}"""
        )
        if delay == 1:
            again = f"delivery >= {HALF_LATE} and delivery < {SENT_AGAIN}"
            parts.append(f"select *, true as is_sent_again from ({_events(size, began, again)})")
    return " union all ".join(parts)


def _events(size: Size, day: int, chosen: str) -> str:
    """SQL: the events of the chosen sessions of a day."""
    name = _cases(
        _draw(20, "session", "place", below=1000),
        [(share, f"'{name}'") for name, share in EVENT_SHARES.items()],
    )
    steps = " ".join(
        f"when buys and place = length - reloads - 4 + {number} then '{step}'"
        for number, step in enumerate(PURCHASE_STEPS)
    )
    midnight = f"timestamp '{size.first_day + timedelta(days=day)}'"
    return f"""
        select
            * exclude (seconds),
            case
                when fault = 4 then timestamp '{FUTURE}' else {midnight} + to_seconds(seconds)
            end as occurred_at,
            unnest(
                range(case when {_draw(25, "session", "place", below=1000)} < 6 then 2 else 1 end)
            ) as copy_number
        from (
            select
                *,
                case {steps} else {name} end as name,
                case
                    when manners < 10 then 1
                    when manners < 15 then 2
                    when {_draw(21, "session", "place", below=10_000)} < 3 then 3
                    when {_draw(21, "session", "place", below=10_000)} < 5 then 4
                    else 0
                end as fault,
                start_second
                -- some events share the tick of the one before: only the sequence orders them
                + 25 * moved + {_draw(22, "session", "moved", below=25)}
                -- a session in ten has a long pause, a hundredth one of exactly the timeout
                + case when pause < 10 and 2 * place >= length then 600 + 180 * pause else 0 end
                + case
                    when pause = 99 and place = length - 1 and length > 1
                        then 1775 - {_draw(22, "session", "moved", below=25)}
                        + {_draw(22, "session", "moved - 1", below=25)}
                    else 0
                end as seconds
            from (
                select
                    *,
                    place - case
                        when place > 0 and {_draw(23, "session", "place", below=100)} < 12
                            and not (pause = 99 and place >= length - 2)
                            then 1 else 0
                    end as moved
                from (
                    select *, unnest(range(length)) as place
                    from ({_sessions(size, day)})
                    where {chosen}
                )
            )
        )
    """


def _wide(size: Size) -> str:
    """SQL: the rows of the file, from the numbers in `arrived`."""
    item = _draw(30, "session", "place", below=5_000)
    price = f"cast(5 + {item} % 190 + 0.99 as decimal(18, 2))"
    sku = f"'sku_' || {item}"
    category = f"{_list(CATEGORIES)}[{item} % {len(CATEGORIES)} + 1]"
    # the campaign stands on the first event; with a third of the sessions on all
    tagged = f"(place = 0 or {_draw(31, 'session', below=3)} = 0)"
    # one paid visit in five has its click id only
    clicked = f"{_draw(32, 'session', below=5)} = 0"
    is_ads = "channel in (3, 4)"
    device = _draw(33, "visitor", below=100)
    device_category = _cases(device, [(58, "'mobile'"), (36, "'desktop'"), (6, "'tablet'")])
    version = f"({_draw(34, 'visitor', below=30)} + 100)"
    agent = f"""case
        when fault = 1 then {_list(BOTS)}[{_draw(35, "session", below=len(BOTS))} + 1]
        when {device} < 58 then 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_' || {version} % 7
            || ' like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.'
            || {version} % 9 || ' Mobile/15E148 Safari/604.1'
        else 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 '
            || '(KHTML, like Gecko) Chrome/' || {version} || '.0.0.0 Safari/537.36'
    end"""

    def tag(column: int) -> str:
        values = _list([channel[column] for channel in CHANNELS])
        return f"case when {tagged} and not ({is_ads} and {clicked}) then {values}[channel + 1] end"

    return f"""
        select
            cast(cast(md5(concat(session, '.', place)) as uuid) as varchar) as event_id,
            case
                when fault not in (2, 3)
                    then concat('v', lower(hex(hash({size.seed}, visitor))), '.', visitor % 9973)
            end as visitor_id,
            case
                when {_draw(36, "visitor // 2", below=100)} < 15 and place >= 2
                    and {_draw(37, "session", below=2)} = 0
                    then concat('user-', 100000 + visitor // 2)
            end as user_id,
            occurred_at,
            name as event_name,
            'https://shop.example/' || case
                when name in ('view_item', 'gallery_next', 'video_progress', 'add_to_wishlist')
                    then concat('products/', {category}, '/', {sku})
                when name in ('begin_checkout', 'add_payment_info') then 'checkout/step'
                when name = 'purchase' then 'checkout/thank-you'
                when name = 'view_item_list' then concat('products/', {category})
                when place = 0 then concat('?visit=', {_draw(38, "session", below=1_000_000)})
                else concat('pages/', {item} % 400)
            end as page_url,
            case
                when place = 0 then {
        _list([f"https://www.{c[0]}.com/" if c[0] and "(" not in c[0] else None for c in CHANNELS])
    }[channel + 1]
                else concat('https://shop.example/pages/', {item} // 13)
            end as page_referrer,
            concat(
                '{{"page_title":"', {category}, ' and more, page ', {item} % 400,
                '","engagement_ms":', {_draw(39, "session", "place", below=60_000)},
                case name
                    when 'scroll' then concat(
                        ',"percent_scrolled":', [10, 25, 50, 75, 90, 100][{item} % 6 + 1]
                    )
                    when 'video_progress' then concat(
                        ',"video_percent":', [10, 25, 50, 75][{item} % 4 + 1],
                        ',"video_title":"film ', {item} % 50, '"'
                    )
                    when 'search' then concat(',"search_term":"', {category}, ' size ', {
        item
    } % 12, '"')
                    when 'page_view' then ''
                    else concat(
                        ',"item_id":"', {sku}, '","item_category":"', {category},
                        '","price":', {price}, ',"quantity":', 1 + {item} % 3
                    )
                end,
                ',"viewport":"', case when {device} < 58 then '390x844' else '1512x982' end,
                '","language":"', lower({_list(COUNTRIES)}[visitor % {len(COUNTRIES)} + 1]),
                '","experiment":"checkout_', visitor % 4,
                '","logged_in":', {_draw(37, "session", below=2)} = 0,
                ',"trace":"', lower(hex(hash(session, place, 40))), '"}}'
            ) as properties,
            case when name in ('add_to_cart', 'purchase') then {price} end as value,
            case when name in ('add_to_cart', 'purchase') then 'USD' end as currency,
            case
                when name = 'purchase'
                    then case when has_order_id then concat('A-', session) else '(not set)' end
            end as order_id,
            {tag(0)} as source,
            {tag(1)} as medium,
            {tag(2)} as campaign,
            case
                when {tagged} and {is_ads}
                    then concat('Cj0KCQjw', lower(hex(hash(session, 41))), '_BwE')
            end as gclid,
            {device_category} as device_category,
            {_list(COUNTRIES)}[visitor % {len(COUNTRIES)} + 1] as country,
            {agent} as user_agent,
            case when fault = 2 then 'denied' else 'granted' end as consent_analytics,
            case
                when fault = 2 or {_draw(42, "visitor", below=4)} = 0 then 'denied' else 'granted'
            end as consent_ads,
            cast(null as varchar) as session_id,
            cast(number * 100 + place as bigint) as sequence
        from arrived
        order by occurred_at
    """


def _write_spend(
    connection: duckdb.DuckDBPyConnection, size: Size, part: str, folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    first, days = 0, size.days
    if part != "base":
        first, days = size.days + int(part.removeprefix("night_")) - 1, 1
    campaigns = ", ".join(f"('{c[0]}', '{c[1]}', '{c[2]}', {c[3]})" for c in PAID)
    clicks = f"(share * {size.sessions_per_day} // 100 + 1)"
    start = size.first_day + timedelta(days=first)
    connection.execute(
        f"""
        copy (
            select
                date '{start}' + cast(range as integer) as date,
                source,
                medium,
                campaign,
                {clicks} * 40 as impressions,
                {clicks} as clicks,
                cast({clicks} * (0.2 + 0.1 * {_share(50, "range", "campaign")}) as decimal(18, 2))
                    as cost,
                'USD' as currency
            from range({days}), (values {campaigns}) as paid (source, medium, campaign, share)
            order by date, source, campaign
        ) to '{_quoted(folder / f"spend_{start}.parquet")}' (format parquet, compression zstd)
        """
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def add_size_arguments(parser: argparse.ArgumentParser, most_nights: int | None = None) -> None:
    parser.add_argument(
        "--events",
        type=count_of(1, MOST_EVENTS),
        default=1_000_000,
        help="1m, 500k or 1000000 (1m)",
    )
    parser.add_argument("--days", type=count_of(1, MOST_DAYS), default=90, help="of the base (90)")
    parser.add_argument(
        "--nights",
        type=count_of(0, most_nights),
        default=1,
        help="further days, each by itself (1)",
    )
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help="(many_light)")
    parser.add_argument("--seed", type=int, default=1, help="another number, other events (1)")


def size_of(arguments: argparse.Namespace) -> Size:
    return Size(
        events=arguments.events,
        days=arguments.days,
        nights=arguments.nights,
        shape=arguments.shape,
        seed=arguments.seed,
    )


def count_of(least: int, most: int | None = None) -> Callable[[str], int]:
    """For arguments: 1m → 1,000,000; 500k → 500,000; nothing below least or above most."""

    def count(text: str) -> int:
        factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
        try:
            number = Decimal(text[:-1] if factor > 1 else text) * factor
            whole = int(number)
        except (InvalidOperation, ValueError, OverflowError):
            number, whole = Decimal(0), -1
        if whole != number or whole < least or (most is not None and whole > most):
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number, {bounds}")
        return whole

    return count


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    add_size_arguments(parser)
    parser.add_argument("--folder", type=Path, required=True, help="where base/ and night_N/ go")
    arguments = parser.parse_args(argv)
    began = time.monotonic()
    try:
        written = generate(size_of(arguments), arguments.folder, report=print)
    except (OSError, ValueError, duckdb.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{written.rows:,} rows, {written.bytes / 1e6:,.0f} MB, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
