"""Who belongs to the ids, and which raw rows are theirs.

Belongs here: from ids to people by the project's rule of identity, the temporary table of their
rows, their orders. Does not belong here: files (files.py), deleting (orchestration/removal.py).

A person is a login with every visitor that ever carried it, or a visitor that never logged in. A
visitor's own login is the one it showed last, as in int_visitor_identities. All rows of these
visitors go, also those that another login left there: a shared browser's rows cannot be told apart.
That other person is not erased elsewhere; who is only met on the way does not pull others in.

Blanks at the ends of an id are no part of it: raw keeps them, so they are cut off to compare.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb

from orchestration.erasure.ids import NOBODY, Ids, Mentions, is_nobody
from orchestration.errors import IntentMapError
from orchestration.landing import RAW_TABLE
from orchestration.landing.warehouse import Warehouse
from orchestration.removal import REMOVED, counted, create_removed, is_there
from orchestration.sources import EVENT_SOURCES, LANDING_SOURCES, PLACEHOLDERS
from orchestration.sql_text import literal, quoted

RECEIPTS = "intermediate.int_event_receipts"
SESSIONS = "intermediate.int_all_sessions"
STAGED = "intermediate.int_staged_events"
ORDER_EVENTS = "intermediate.int_order_events"
NOBODYS = ", ".join(map(literal, NOBODY))
NULL = "cast(null as varchar)"
# source → SQL of what may be the number of a raw row's order, as its staging model reads it: that
# model is not there before the first night, nor of a source that event_sources leaves out
_PARAMETER = (
    "event_params[list_position([one.key for one in event_params], 'transaction_id')].value."
)
_ENTITY = "contexts_com_snowplowanalytics_snowplow_ecommerce_"
ORDERS_IN_RAW = {
    "generic": ("order_id",),
    "segment": ("order_id",),
    "ga4": (
        "ecommerce.transaction_id",
        f"{_PARAMETER}string_value",
        f"cast({_PARAMETER}int_value as varchar)",
        f"regexp_replace(cast({_PARAMETER}double_value as varchar), '\\.0$', '')",
        f"regexp_replace(cast({_PARAMETER}float_value as varchar), '\\.0$', '')",
    ),
    "snowplow": (
        "tr_orderid",
        *(
            f"try(json_extract_string({_ENTITY}{entity}_1, '{path}.transaction_id'))"
            for entity in ("transaction", "refund")
            for path in ("$[0]", "$")
        ),
    ),
}


@dataclass(frozen=True)
class People:
    """ids: all ids of these people. orders: order numbers that are theirs alone. orders_of_others:
    those of rows that mention an id and stay. others: how many other logins were seen on their
    visitors, whose rows there go too."""

    ids: Ids
    orders: frozenset[str]
    orders_of_others: frozenset[str]
    others: int


def find_people(warehouse: Warehouse, given: Ids) -> People:
    """Fill the temporary table of removed rows; raises IntentMapError when some are not ours."""
    con = warehouse.con
    users = given.users | _logins_of(con, given.visitors)
    visitors = given.visitors | _visitors_of(con, users)
    _fill(con, "erased_visitors", visitors)
    _fill(con, "erased_users", users)
    create_removed(con)
    for source in EVENT_SOURCES:
        con.execute(
            f"insert into {REMOVED} select '{source}', load_id, row_number "
            f"from raw.{quoted(RAW_TABLE[source])} where {is_theirs(source)}"
        )
    mentions = Mentions(visitors | users)
    _add_rows_without_visitor(con, mentions)
    orders = _orders(con)
    _fill(con, "erased_orders", orders)
    con.execute(
        f"insert into {REMOVED} select 'orders', load_id, row_number from raw.orders "
        "where trim(order_id) in (from erased_orders)"
    )
    mentioning, of_others = _orders_that_mention(con, mentions)
    _fill(con, "orders_of_others", of_others)
    _refuse_attached(warehouse)
    return People(Ids(visitors, users), orders | mentioning, of_others, _others(con))


def are_in_tables(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether tables hold these people, be it from rows that raw has no more."""
    if not is_there(con, SESSIONS):
        return False
    return con.execute(
        f"select exists (from {SESSIONS} where trim(visitor_id) in (from erased_visitors)) "
        f"or exists (from {RECEIPTS} where trim(user_id) in (from erased_users))"
    ).fetchone()[0]


def visitor_of(source: str, text_of: Callable[[str], str] = quoted) -> str:
    """SQL of the visitor of a row. text_of: from the name of a column of raw to SQL of its text, if
    the row is not read from raw."""
    known = LANDING_SOURCES[source]
    # of a source whose visitor is not declared, rows are judged by what they mention
    first, *others = [text_of(name) for name in known.visitor] or [NULL]
    column, paths = known.entity or ("", ())
    inside = [f"try(json_extract_string({text_of(column)}, {literal(path)}))" for path in paths]
    # as staging reads it: what stands for nobody leaves the word to the next column
    return f"trim(coalesce({', '.join(map(somebody, (first, *inside, *others)))}))"


def somebody(name: str) -> str:
    """SQL of an id, null where it is nobody's."""
    # as is_blank and trim of staging, which cut off more than blanks from a text of nothing else
    blanks = "concat(' ', chr(9), chr(10), chr(13))"
    return f"case when lower(trim({name}, {blanks})) not in ({NOBODYS}) then {name} end"


def login_of(source: str) -> str:
    """SQL of the login of a raw row."""
    name = LANDING_SOURCES[source].user
    return f"trim({quoted(name)})" if name else NULL


def is_theirs(source: str) -> str:
    """SQL condition on a raw row, over the temporary tables of ids."""
    return (
        f"({visitor_of(source)} in (from erased_visitors) "
        f"or {login_of(source)} in (from erased_users))"
    )


def _fill(con: duckdb.DuckDBPyConnection, table: str, values: Iterable[str]) -> None:
    con.execute(f"create or replace temp table {table} as select unnest(?::varchar[]) as id",
                [sorted(values)])  # fmt: skip


def _logins_of(con: duckdb.DuckDBPyConnection, visitors: Iterable[str]) -> set[str]:
    """The login that holds for each visitor; of one that no night has built yet, any."""
    _fill(con, "asked_visitors", visitors)
    known: dict[str, str] = {}
    if is_there(con, SESSIONS):
        known = dict(
            con.execute(
                "select name, max_by(trim(user_id), (occurred_at, sequence, user_id)) "
                "from (select distinct visitor_key, trim(visitor_id) as name "
                f"from {SESSIONS}) join {RECEIPTS} using (visitor_key) "
                "where name in (from asked_visitors) "
                "and outcome = 'accepted' and user_id is not null group by name"
            ).fetchall()
        )
    met = [
        pair
        for source in EVENT_SOURCES
        for pair in con.execute(
            f"select distinct {visitor_of(source)}, {login_of(source)} "
            f"from raw.{quoted(RAW_TABLE[source])} "
            f"where {visitor_of(source)} in (from asked_visitors)"
        ).fetchall()
    ]
    others = {user for visitor, user in met if visitor not in known and _is_somebody(user)}
    return set(known.values()) | others


def _visitors_of(con: duckdb.DuckDBPyConnection, users: Iterable[str]) -> set[str]:
    """All visitors that ever carried one of the logins."""
    _fill(con, "asked_users", users)
    queries = [
        f"select {visitor_of(source)} from raw.{quoted(RAW_TABLE[source])} "
        f"where {login_of(source)} in (from asked_users)"
        for source in EVENT_SOURCES
    ]
    if is_there(con, SESSIONS):
        # also of rows that have left raw since
        queries.append(
            f"select trim(visitor_id) from {RECEIPTS} join {SESSIONS} using (visitor_key) "
            "where trim(user_id) in (from asked_users)"
        )
    rows = con.execute(" union ".join(queries)).fetchall()
    return {visitor for (visitor,) in rows if _is_somebody(visitor)}


def _is_somebody(name: str | None) -> bool:
    return name is not None and not is_nobody(name)


def _refuse_attached(warehouse: Warehouse) -> None:
    rows = counted(warehouse.con)
    for source, entry in warehouse.attached.items():
        if source in rows:
            raise IntentMapError(
                f"{rows[source]:,} rows of these people are in {entry.shown}, which is read in "
                "place and never written: erase them there first, then run this again. Nothing was "
                "changed."
            )


def _add_rows_without_visitor(con: duckdb.DuckDBPyConnection, mentions: Mentions) -> None:
    """Rows of nobody's, such as broken ones, that name one of the ids somewhere in them."""
    if mentions.looks_for_nothing:
        return
    for source in EVENT_SOURCES:
        found = con.execute(
            f"select load_id, row_number, text from (select load_id, row_number, "
            f"cast(to_json(held) as varchar) as text from raw.{quoted(RAW_TABLE[source])} as held "
            f"where {visitor_of(source)} is null and not coalesce({is_theirs(source)}, false)) "
            f"where {may_mention('text')}",
            mentions.first_look,
        ).fetchall()
        rows = [(source, load, row) for load, row, text in found if mentions.mentioned_in(text)]
        if rows:
            con.executemany(f"insert into {REMOVED} values (?, ?, ?)", rows)


def may_mention(text: str) -> str:
    """SQL: the text may mention one of the ids; takes Mentions.first_look (two `?`)."""
    words = f"regexp_extract_all(regexp_replace({text}, '%[0-9A-Fa-f]{{2}}', ' ', 'g'), "
    return f"(?::boolean or list_has_any({words} '[\\p{{L}}\\p{{N}}]+'), ?::varchar[]))"


def _orders_that_mention(
    con: duckdb.DuckDBPyConnection, mentions: Mentions
) -> tuple[frozenset[str], frozenset[str]]:
    """Remove rows of orders that name one of the ids, unless the number is on a row of another
    person's; returns the numbers whose rows went, and those whose rows stay."""
    if mentions.looks_for_nothing:
        return frozenset(), frozenset()
    said = "concat_ws(chr(10), order_id, currency, status, unreadable)"
    found = con.execute(
        "select load_id, row_number, coalesce(trim(order_id), ''), text "
        f"from (select *, {said} as text from raw.orders) "
        f"where not coalesce(trim(order_id) in (from erased_orders), false) "
        f"and {may_mention('text')}",
        mentions.first_look,
    ).fetchall()
    found = [row for row in found if mentions.mentioned_in(row[3])]
    others = {
        order
        for (order,) in con.execute(
            "select order_id from orders_met where not is_theirs and list_contains(?, order_id)",
            [[order for _, _, order, _ in found]],
        ).fetchall()
    }
    gone = [row for row in found if row[2] not in others]
    if gone:
        rows = [("orders", load, row) for load, row, _, _ in gone]
        con.executemany(f"insert into {REMOVED} values (?, ?, ?)", rows)
    return frozenset(row[2] for row in gone) - {""}, frozenset(others)


def _orders(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Order numbers on the removed rows and on no other row; of rows that raw has no more, tables
    tell whose they were. All that were met are in a temporary table then."""
    con.execute("create or replace temp table orders_met (order_id varchar, is_theirs boolean)")
    numbers = [
        f"select '{source}' as source_system, load_id, row_number, "
        f"unnest([{', '.join(ORDERS_IN_RAW[source])}]) as order_id "
        f"from raw.{quoted(RAW_TABLE[source])}"
        for source in EVENT_SOURCES
        if source in ORDERS_IN_RAW
    ]
    if is_there(con, STAGED):
        numbers.append(f"select source_system, load_id, row_number, order_id from {STAGED}")
    of_old_rows = ""
    if is_there(con, ORDER_EVENTS):
        of_old_rows = (
            f"union all select trim(order_id), visitor_key in (select visitor_key from {SESSIONS} "
            "where trim(visitor_id) in (from erased_visitors)) "
            f"from {ORDER_EVENTS} join {RECEIPTS} as receipts using (event_key) "
            "where receipts.outcome = 'accepted' and order_id is not null "
        )
    placeholders = ", ".join(map(literal, PLACEHOLDERS))
    con.execute(
        "insert into orders_met "
        "with orders as (select trim(staged.order_id) as order_id, "
        "gone.row_number is not null as is_gone "
        f"from ({' union all '.join(numbers)}) as staged left join {REMOVED} as gone "
        "on staged.source_system = gone.source and staged.load_id = gone.load_id "
        "and staged.row_number = gone.row_number "
        f"where lower(trim(staged.order_id)) not in ({placeholders}) {of_old_rows}) "
        "select order_id, bool_and(is_gone) from orders group by order_id"
    )
    rows = con.execute("select order_id from orders_met where is_theirs").fetchall()
    return frozenset(order for (order,) in rows)


def _others(con: duckdb.DuckDBPyConnection) -> int:
    found: set[str] = set()
    for source in EVENT_SOURCES:
        user = login_of(source)
        rows = con.execute(
            f"select distinct {user} from raw.{quoted(RAW_TABLE[source])} "
            f"where {visitor_of(source)} in (from erased_visitors) and {user} is not null "
            f"and {user} not in (from erased_users) and lower({user}) not in ({NOBODYS})"
        ).fetchall()
        found |= {name for (name,) in rows}
    return len(found)
