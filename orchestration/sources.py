"""The sources that landing knows: one entry each, in the order in which they land.

Belongs here: what is known of a source before any file is opened.
Does not belong here: the columns of its raw table (dbt_project/models/staging/sources.yml).
"""

from dataclasses import dataclass

# what sources write, in lower case, where there is no id, number or code: the same as in
# dbt_project/macros/expressions/placeholders.sql
PLACEHOLDERS = (
    *("", "0", "-", "(not set)", "(none)", "(data deleted)", "<other>", "null", "nil", "none"),
    *("nan", "n/a", "undefined", "unknown"),
)


@dataclass(frozen=True)
class LandingSource:
    """One folder below landing/.

    needed: without these columns a row cannot be used at all. said: what help says of its files.
    left_out: patterns of a wide format's columns that are neither declared in the raw table nor
    worth a property of every event. lands_last: files with this in their name land after the
    others, since of two copies of an event the one that landed first counts. visitor: the columns
    that name the browser, of which the first that is filled counts. entity: a column of JSON that
    is asked behind the first of these, and where in it the browser may stand. user: the column of
    the login. own_id: the column of the event's id where people fill it, so that a placeholder
    there is read as none: of all events that carry one, only the first would count.
    """

    raw_table: str
    needed: tuple[str, ...]
    said: str
    left_out: tuple[str, ...] = ()
    lands_last: str | None = None
    holds_events: bool = True
    visitor: tuple[str, ...] = ()
    entity: tuple[str, tuple[str, ...]] | None = None
    user: str | None = None
    own_id: str | None = None


LANDING_SOURCES = {
    "generic": LandingSource(
        raw_table="generic_events",
        needed=("visitor_id", "occurred_at", "event_name"),
        said="visitor_id, occurred_at, event_name (anything else is optional)",
        visitor=("visitor_id",),
        user="user_id",
        own_id="event_id",
    ),
    "ga4": LandingSource(
        raw_table="ga4_events",
        needed=("event_name", "event_timestamp"),
        said="the export's own columns, nested as they are",
        # the intraday table lacks attribution that the daily one has
        lands_last="intraday",
        visitor=("user_pseudo_id",),
        user="user_id",
    ),
    "snowplow": LandingSource(
        raw_table="snowplow_events",
        needed=("event_id", "collector_tstamp"),
        said="the atomic events under their own column names",
        left_out=(
            *("app_id", "etl_*", "txn_id", "name_tracker", "v_*", "user_ipaddress"),
            *("user_fingerprint", "domain_sessionidx", "geo_*", "ip_*", "page_url?*", "refr_*"),
            *("tr_*", "ti_*", "br_*", "os_*", "dvce_*", "doc_charset", "base_currency"),
            *("event_vendor", "event_format", "event_version", "event_fingerprint"),
            *("true_tstamp", "contexts_nl_basjes_yauaa_context_*"),
            "contexts_com_snowplowanalytics_snowplow_ua_parser_context_*",
        ),
        visitor=("domain_userid", "network_userid"),
        # apps for phones have it in place of a cookie
        entity=(
            "contexts_com_snowplowanalytics_snowplow_client_session_1",
            ("$[0].userId", "$[0].user_id", "$.userId", "$.user_id"),
        ),
        user="user_id",
    ),
    "segment": LandingSource(
        raw_table="segment_events",
        needed=("id", "timestamp"),
        said="the warehouse tables tracks, pages, identifies and those of single events",
        left_out=("context_*", "uuid", "uuid_ts", "original_timestamp", "sent_at"),
        # tracks repeats every event without its properties
        lands_last="tracks",
        # a call from a server knows the login only
        visitor=("anonymous_id", "user_id"),
        user="user_id",
    ),
    "ad_spend": LandingSource(
        raw_table="ad_spend",
        needed=("date", "campaign", "cost"),
        said="date, campaign, cost; source, medium, impressions, clicks, currency are optional",
        holds_events=False,
    ),
    "orders": LandingSource(
        raw_table="orders",
        needed=("order_id", "value"),
        said="order_id, value; ordered_at, currency, status are optional",
        holds_events=False,
    ),
}
SOURCES = tuple(LANDING_SOURCES)
EVENT_SOURCES = tuple(name for name, source in LANDING_SOURCES.items() if source.holds_events)
