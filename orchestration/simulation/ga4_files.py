"""Rows of the GA4 BigQuery export: nested, with batch fields and GA4's own events.

Belongs here: the SQL that turns numeric columns into the export's columns.
Does not belong here: which rows there are (dirt.py), when a file is written (landing_files.py).
"""

from orchestration.simulation import catalogue as c
from orchestration.simulation.generic_files import PAGE_URL, click_id, session_source
from orchestration.simulation.landing_files import text_list

FORMATS = ("parquet",)

_EVENT_NAMES = [c.GA4_NAMES.get(code, name) for code, name in enumerate(c.EVENTS)]


def _param(key: str, *, text: str = "NULL", whole: str = "NULL", real: str = "NULL") -> str:
    return f"""{{'key': '{key}', 'value': {{'string_value': ({text})::VARCHAR,
        'int_value': ({whole})::BIGINT, 'float_value': NULL::DOUBLE,
        'double_value': ({real})::DOUBLE}}}}"""


# A whole amount is sent as an integer, as tags do: both types must be read.
_VALUE = _param(
    "value",
    whole="CASE WHEN amount = floor(amount) THEN amount END",
    real="CASE WHEN amount != floor(amount) THEN amount END",
)
_ITEM_ID = _param("item_id", text="'sku_' || detail")
_CURRENCY = _param("currency", text="'USD'")
_ORDER_ID = "CASE WHEN is_not_set THEN '(not set)' ELSE 'A' || order_number END"
_TERM = f"{text_list(list(c.SEARCH_TERMS))}[detail + 1]"
_METHOD = "['footer', 'pop_up', 'thank_you'][detail + 1]"


def _landing_param(key: str, values: list[str | None]) -> str:
    return _param(key, text=session_source(values))


_SESSION = f"""CASE WHEN is_refused THEN NULL ELSE [
    {_param("ga_session_id", whole="session_start")},
    {_param("ga_session_number", whole="session_number")}
] END"""
_PAGE = f"""[
    {_param("page_location", text=PAGE_URL)},
    {_param("session_engaged", text="CASE WHEN sequence > 2 THEN '1' ELSE '0' END")}
]"""
_LANDING = f"""CASE WHEN opens_session THEN [
    {_param("entrances", whole=f"CASE WHEN code = {c.PAGE_VIEW} THEN 1 END")},
    {_landing_param("source", [campaign.source for campaign in c.CAMPAIGNS])},
    {_landing_param("medium", [campaign.medium for campaign in c.CAMPAIGNS])},
    {_landing_param("campaign", [campaign.name for campaign in c.CAMPAIGNS])}
] END"""
_OWN = f"""CASE code
    WHEN {c.SCROLL} THEN [{_param("percent_scrolled", whole="detail")}]
    WHEN {c.VIDEO_PROGRESS} THEN [{_param("video_percent", whole="detail")}]
    WHEN {c.VIEW_ITEM} THEN [{_ITEM_ID}, {_param("price", real="amount")}]
    WHEN {c.ADD_TO_CART} THEN [{_ITEM_ID}, {_VALUE}, {_CURRENCY}]
    WHEN {c.SEARCH} THEN [{_param("search_term", text=_TERM)}]
    WHEN {c.SIGN_UP} THEN [{_param("method", text=_METHOD)}]
    WHEN {c.PURCHASE} THEN [{_VALUE}, {_CURRENCY}, {_param("transaction_id", text=_ORDER_ID)}]
    WHEN {c.USER_ENGAGEMENT} THEN
        [{_param("engagement_time_msec", whole="900 * sequence + session_start % 997")}]
END"""
# Parameters that are there only on some rows are lists or null; null adds nothing.
_PARAMS = f"list_concat(list_concat({_SESSION}, {_PAGE}), list_concat({_LANDING}, {_OWN}))"


def select_rows() -> str:
    """The select over `landing_rows`.

    Without analytics consent the export holds cookieless pings: no browser id, no session id.
    """
    source = text_list([campaign.source or "(direct)" for campaign in c.CAMPAIGNS])
    medium = text_list([campaign.medium or "(none)" for campaign in c.CAMPAIGNS])
    name = text_list([campaign.name or "(not set)" for campaign in c.CAMPAIGNS])
    collected = [
        session_source([getattr(campaign, field) for campaign in c.CAMPAIGNS])
        for field in ("name", "source", "medium")
    ]
    systems = text_list(["iOS", "Windows", "iOS"])
    return f"""
        SELECT
            strftime(make_timestamp(time), '%Y%m%d') AS event_date,
            time AS event_timestamp,
            {text_list(_EVENT_NAMES)}[code + 1] AS event_name,
            {_PARAMS} AS event_params,
            (session_start % 1000000000)::BIGINT AS event_bundle_sequence_id,
            (sequence // 8 + 1)::BIGINT AS batch_page_id,
            (sequence // 4 + 1)::BIGINT AS batch_ordering_id,
            (sequence % 4 + 1)::BIGINT AS batch_event_index,
            CASE WHEN "user" != 0 AND NOT is_refused THEN 'u' || lower(hex("user")) END AS user_id,
            CASE WHEN visitor != 0 AND NOT is_refused
                THEN (visitor >> 32) || '.' || (visitor & 4294967295) END AS user_pseudo_id,
            {{'analytics_storage': CASE WHEN is_refused THEN 'No' ELSE 'Yes' END,
                'ads_storage': CASE WHEN is_refused THEN 'No' ELSE 'Yes' END,
                'uses_transient_token': 'No'}} AS privacy_info,
            {{'category': {text_list(list(c.DEVICES))}[device + 1],
                'operating_system': {systems}[device + 1], 'language': 'en-us',
                'web_info': {{'hostname': 'shop.example'}}}} AS device,
            {{'country': {text_list(list(c.COUNTRIES))}[country + 1],
                'region': '(not set)', 'city': '(not set)'}} AS geo,
            {{'name': {name}[first_campaign + 1], 'medium': {medium}[first_campaign + 1],
                'source': {source}[first_campaign + 1]}} AS traffic_source,
            CASE WHEN opens_session THEN
                {{'manual_campaign_name': {collected[0]}, 'manual_source': {collected[1]},
                    'manual_medium': {collected[2]}, 'manual_term': NULL::VARCHAR,
                    'manual_content': NULL::VARCHAR, 'gclid': {click_id("cpc", "google", "gc")}}}
                END AS collected_traffic_source,
            CASE WHEN code = {c.PURCHASE} THEN
                {{'purchase_revenue': amount, 'refund_value': NULL::DOUBLE,
                    'transaction_id': {_ORDER_ID}}}
                WHEN code IN ({c.ADD_TO_CART}, {c.BEGIN_CHECKOUT}) THEN
                {{'purchase_revenue': NULL::DOUBLE, 'refund_value': NULL::DOUBLE,
                    'transaction_id': '(not set)'}}
                END AS ecommerce,
            '4711' AS stream_id,
            'WEB' AS platform
        FROM landing_rows
    """
