"""Rows of the generic format: one flat row per event under the source's own names.

Belongs here: the SQL that turns numeric columns into the generic file's columns.
Does not belong here: which rows there are (dirt.py), when a file is written (landing_files.py).
"""

from datetime import timedelta

from orchestration.simulation import catalogue as c
from orchestration.simulation import dirt
from orchestration.simulation.dirt import Calendar
from orchestration.simulation.landing_files import text_list

FORMATS = ("csv", "csv.gz", "jsonl", "parquet")

_EVENT_NAMES = [c.GENERIC_NAMES.get(code, name) for code, name in enumerate(c.EVENTS)]
_PROPERTIES = f"""
    CASE code
        WHEN {c.SCROLL} THEN '{{"percent_scrolled":' || detail || '}}'
        WHEN {c.VIDEO_PROGRESS} THEN '{{"video_percent":' || detail || '}}'
        WHEN {c.VIEW_ITEM} THEN '{{"item_id":"sku_' || detail || '","price":' || amount || '}}'
        WHEN {c.ADD_TO_CART} THEN '{{"item_id":"sku_' || detail || '"}}'
        WHEN {c.SEARCH} THEN
            '{{"search_term":"' || {text_list(list(c.SEARCH_TERMS))}[detail + 1] || '"}}'
        WHEN {c.SIGN_UP} THEN
            '{{"method":"' || ['footer', 'pop_up', 'thank_you'][detail + 1] || '"}}'
    END
"""
PAGE_URL = f"""
    'https://shop.example/' || CASE
        WHEN code = {c.VIEW_ITEM} THEN 'product/sku_' || detail
        WHEN code = {c.PAGE_VIEW} AND detail >= {c.PRODUCT_PAGES}
            THEN 'product/sku_' || (detail - {c.PRODUCT_PAGES})
        WHEN code = {c.PAGE_VIEW} AND detail = {c.THANK_YOU_PAGE} THEN 'thank-you'
        WHEN code = {c.PAGE_VIEW} AND detail > 0 THEN 'guide/' || detail
        WHEN code IN ({c.BEGIN_CHECKOUT}, {c.ADD_PAYMENT_INFO}, {c.PURCHASE}) THEN 'checkout'
        ELSE ''
    END
"""


def session_source(values: list[str | None]) -> str:
    """SQL: the campaign's text on rows that open a session and kept their tags."""
    text = f"{text_list(values)}[campaign + 1]"
    return f"CASE WHEN opens_session AND NOT is_click_id_only THEN {text} END"


def click_id(medium: str, source: str, prefix: str) -> str:
    """SQL: a click id on session openings of the campaigns with this medium and source."""
    numbers = [
        str(number)
        for number, campaign in enumerate(c.CAMPAIGNS)
        if campaign.medium == medium and campaign.source == source
    ]
    return f"""CASE WHEN opens_session AND campaign IN ({", ".join(numbers)})
        THEN '{prefix}' || lower(hex(xor(visitor, session_number::UBIGINT))) END"""


def select_rows(file_format: str, calendar: Calendar) -> str:
    """The select over `landing_rows` for one format.

    Parquet holds typed times and amounts; the others hold text, JSON lines in ISO form.
    """
    time, value, properties = "make_timestamp(time)", "amount::DECIMAL(18, 4)", _PROPERTIES
    if file_format == "jsonl":
        time, properties = f"strftime({time}, '%Y-%m-%dT%H:%M:%S.%gZ')", f"({_PROPERTIES})::JSON"
    if file_format in dirt.TEXT_FORMATS:
        time = f"CASE WHEN fault = {dirt.UNREADABLE_TIME} THEN 'yesterday' ELSE {time}::VARCHAR END"
        value = f"""CASE WHEN fault = {dirt.UNREADABLE_VALUE} THEN 'EUR 12,3O'
            ELSE amount::DECIMAL(18, 2)::VARCHAR END"""
    has_value = f"code IN ({c.ADD_TO_CART}, {c.PURCHASE})"
    bots = text_list(list(c.BOT_AGENTS))
    loaded = [calendar.dates_of(file)[1] + timedelta(days=1) for file in range(calendar.files)]
    loaded_at = text_list([f"{day} 02:15:00" for day in loaded])
    return f"""
        SELECT
            'e' || lower(hex(event_id)) AS event_id,
            CASE WHEN visitor != 0 THEN 'v' || lower(hex(visitor)) END AS visitor_id,
            CASE WHEN "user" != 0 THEN 'u' || lower(hex("user")) END AS user_id,
            {time} AS occurred_at,
            sequence,
            {text_list(_EVENT_NAMES)}[code + 1] AS event_name,
            {PAGE_URL} AS page_url,
            {properties} AS properties,
            CASE WHEN {has_value} THEN {value} END AS value,
            CASE WHEN {has_value} THEN 'USD' END AS currency,
            CASE WHEN code = {c.PURCHASE} THEN 'A' || order_number END AS order_id,
            {session_source([campaign.source for campaign in c.CAMPAIGNS])} AS source,
            {session_source([campaign.medium for campaign in c.CAMPAIGNS])} AS medium,
            {session_source([campaign.name for campaign in c.CAMPAIGNS])} AS campaign,
            {click_id("cpc", "google", "gc")} AS gclid,
            {click_id("paid_social", "facebook", "fb")} AS fbclid,
            {text_list(list(c.DEVICES))}[device + 1] AS device_category,
            {text_list(list(c.COUNTRIES))}[country + 1] AS country,
            CASE WHEN fault = {dirt.BOT} THEN {bots}[(visitor % {len(c.BOT_AGENTS)})::BIGINT + 1]
                ELSE {text_list(list(c.AGENTS))}[device + 1] END AS user_agent,
            CASE WHEN is_refused THEN 'denied' ELSE 'granted' END AS consent_analytics,
            CASE WHEN is_refused THEN 'denied' ELSE 'granted' END AS consent_ads,
            {loaded_at}[file + 1] AS loaded_at
        FROM landing_rows
    """
