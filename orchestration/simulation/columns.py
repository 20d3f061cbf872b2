"""The columns of landing rows as numbers: what both sources' files are written from.

Belongs here: gathering events, sessions and faults into flat numeric columns, ids included.
Does not belong here: text, names and file formats (generic_files.py, ga4_files.py).
"""

from dataclasses import dataclass

import numpy as np

from orchestration.simulation import catalogue as c
from orchestration.simulation import dirt
from orchestration.simulation.behaviour import Sessions
from orchestration.simulation.events import Events, opens_session

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Numbering:
    """Where a chunk's events and orders start in the numbering of the whole run."""

    seed: int
    first_event: int
    first_order: int


def scramble(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Numbers to 64-bit ids without an order; distinct in, distinct out (splitmix64)."""
    x = numbers.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def gather(rows: dirt.Rows, events: Events, sessions: Sessions, numbering: Numbering) -> Columns:
    """One entry per row; 0 stands for no visitor, no user and no order."""
    session = events.session[rows.event]
    code = events.code[rows.event]
    sequence = events.sequence[rows.event]
    is_bot = rows.fault == dirt.BOT
    is_repeat = rows.fault == dirt.ORDER_ID_REPEATED
    # a copy that is no duplicate is an event of its own
    own_id = np.where(rows.fault == dirt.DUPLICATE, 0, rows.fault).astype(np.int64)
    event_number = numbering.first_event + rows.event.astype(np.int64) + (own_id << 44)
    event_id = scramble(event_number + np.where(is_bot, rows.time << 8, 0), numbering.seed)
    visitor = scramble(sessions.visitor, numbering.seed + 1)[session]
    bot = scramble(numbering.first_event + rows.event, numbering.seed + 2)
    visitor = np.where(is_bot, bot, visitor)
    user = scramble(sessions.person, numbering.seed + 3)[session]
    is_logged_in = (sequence >= sessions.login_from[session]) & ~is_bot
    session_start = np.where(is_repeat, rows.time, sessions.start[session]) // c.SECOND
    order = np.zeros(len(events), np.int64)
    is_purchase = events.code == c.PURCHASE
    order[is_purchase] = numbering.first_order + np.arange(is_purchase.sum())
    return {
        "file": rows.file,
        "time": rows.time,
        "fault": rows.fault,
        "event_id": event_id,
        "visitor": np.where(rows.fault == dirt.MISSING_VISITOR, np.uint64(0), visitor),
        "user": np.where(is_logged_in, user, np.uint64(0)),
        "code": code,
        "detail": events.detail[rows.event],
        "amount": np.nan_to_num(events.amount[rows.event]),
        "order_number": order[rows.event],
        "is_not_set": rows.is_not_set,
        "sequence": np.where(is_repeat, 0, sequence),
        "session_start": session_start,
        "session_number": sessions.number[session] + is_repeat,
        "opens_session": opens_session(events, rows.event) & ~is_bot,
        "campaign": sessions.campaign[session],
        "first_campaign": sessions.first_campaign[session],
        "is_click_id_only": rows.is_click_id_only,
        "is_refused": sessions.is_refused[session],
        "device": sessions.device[session],
        "country": sessions.country[session],
    }
