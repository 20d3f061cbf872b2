"""The simulated shop's constants: events, campaigns, effects, rates of dirt, and why.

Belongs here: numbers and names, each table with its reason. Probabilities are logits unless said
otherwise, so that effects add.
Does not belong here: drawing anything (traffic.py, behaviour.py), writing anything
(landing_files.py).
"""

from dataclasses import dataclass

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND

# Codes are the positions in this tuple. The last three exist in GA4 only.
EVENTS = (
    "page_view",
    "scroll",
    "video_progress",
    "view_item",
    "gallery_next",
    "search",
    "sign_up",
    "add_to_wishlist",
    "add_to_cart",
    "begin_checkout",
    "add_payment_info",
    "purchase",
    "chat_opened",
    "session_start",
    "first_visit",
    "user_engagement",
)
(
    PAGE_VIEW,
    SCROLL,
    VIDEO_PROGRESS,
    VIEW_ITEM,
    GALLERY_NEXT,
    SEARCH,
    SIGN_UP,
    ADD_TO_WISHLIST,
    ADD_TO_CART,
    BEGIN_CHECKOUT,
    ADD_PAYMENT_INFO,
    PURCHASE,
    CHAT_OPENED,
    SESSION_START,
    FIRST_VISIT,
    USER_ENGAGEMENT,
) = range(len(EVENTS))

# What each source calls an event, where it differs. No dictionary knows chat_opened.
GENERIC_NAMES = {VIEW_ITEM: "product_view", ADD_TO_CART: "cart_add"}
GA4_NAMES = {SEARCH: "view_search_results"}

# Bit i of a state is micro-conversion i.
MICROS = (
    "product_viewed",
    "deep_scroll",
    "video_half",
    "gallery_browsed",
    "site_searched",
    "newsletter_signed_up",
    "wishlist_added",
    "cart_filled",
    "checkout_started",
    "payment_info_added",
)
(VIEWED, SCROLLED, VIDEO, GALLERY, SEARCHED, NEWSLETTER, WISHLIST, CART, CHECKOUT, PAYMENT) = range(
    len(MICROS)
)

# Intercept and slope on the session's latent intent. The gallery has slope 0 and effect 0: it is
# the planted null, a busy act that says nothing. Steps of buying are conditional on the step
# before (PARENT), so their intercepts are high.
MICRO_INTERCEPT = (-0.35, -1.55, -1.65, -1.9, -1.9, -4.0, -2.4, -2.15, -0.5, 0.2)
MICRO_SLOPE = (0.9, 0.5, 0.3, 0.0, 0.3, 0.4, 0.5, 0.7, 0.4, 0.3)
PARENT = {WISHLIST: VIEWED, CART: VIEWED, CHECKOUT: CART, PAYMENT: CHECKOUT}

# Purchase after an ordinary session: intercept by the deepest step reached, plus the effects of
# the other micro-conversions. The video is the strong one, search the weak one.
STEPS = ("none", "product_viewed", "cart_filled", "checkout_started", "payment_info_added")
STEP_LOGIT = (-7.0, -6.0, -3.2, -2.2, -0.4)
MICRO_EFFECT = {SCROLLED: 0.2, VIDEO: 1.2, GALLERY: 0.0, SEARCHED: 0.1, NEWSLETTER: 0.4}
MICRO_EFFECT[WISHLIST] = 0.5
# Share of those purchases that happen in the session itself. A purchase without payment details
# is a wallet button in the cart.
STEP_IN_SESSION = (0.0, 0.0, 0.0, 0.15, 0.85)

INTENT_CLASSES = ("brand", "generic", "social", "email", "direct", "other")
BRAND, GENERIC, SOCIAL, EMAIL, DIRECT, OTHER = range(len(INTENT_CLASSES))
VISITOR_TYPES = ("new", "returning")
CLASS_LATENT = (0.7, 0.1, -0.5, 0.4, 0.3, -0.3)
CLASS_LOGIT = (0.3, 0.0, -0.5, 0.3, 0.2, -0.3)
RETURNING_LATENT = 0.25
RETURNING_LOGIT = 0.35
PERSON_LATENT_SD = 0.6
SESSION_LATENT_SD = 0.8

# Purchases that do not happen in the session come later: exponential, cut at the horizon.
DELAY_MEAN_DAYS = 5.0
DELAY_CUT_DAYS = 30.0
BUYING_LATENT = 0.8
BUYING_EMAIL_SHARE = 0.4
BUYING_VIEWS_SHARE = 0.85
BUYING_WALLET_SHARE = 0.05

# Lognormal order values: mean by intent class in USD, factor for returning visitors. A rare
# order of a reseller is many times larger: means must not lean on it.
ORDER_MEAN = (96.0, 78.0, 55.0, 88.0, 90.0, 62.0)
ORDER_RETURNING_FACTOR = 1.15
ORDER_SIGMA = 0.55
OUTLIER_SHARE = 0.002
OUTLIER_FACTOR = 20.0


@dataclass(frozen=True)
class Campaign:
    """A traffic source: where its sessions come from and how its budget acts.

    arrivals: relative weight among first sessions. returns: share of later sessions at the base
    budget. cost_per_click: USD, 0 where no budget is reported. elasticity: d log(clicks) /
    d log(spend). spend_sd: standard deviation of the weekly log budget; 0 is a constant budget,
    whose response nobody can learn.
    """

    source: str | None
    medium: str | None
    name: str | None
    intent: int
    arrivals: float
    returns: float
    cost_per_click: float = 0.0
    elasticity: float = 0.0
    spend_sd: float = 0.0
    click_rate: float = 0.0


# source, medium, name, intent, arrivals, returns, cost_per_click, elasticity, spend_sd, click_rate
CAMPAIGNS = (
    Campaign("google", "cpc", "brand_search", BRAND, 9, 0.09, 0.45, 0.25, 0.35, 0.09),
    Campaign("google", "cpc", "generic_search", GENERIC, 17, 0.05, 1.10, 0.70, 0.45, 0.04),
    Campaign("bing", "cpc", "generic_search_bing", GENERIC, 6, 0.02, 0.80, 0.60, 0.0, 0.035),
    Campaign("google", "organic", None, GENERIC, 14, 0.09),
    Campaign("facebook", "paid_social", "prospecting", SOCIAL, 13, 0.02, 0.55, 0.55, 0.5, 0.012),
    Campaign("instagram", "paid_social", "short_films", SOCIAL, 8, 0.03, 0.60, 0.85, 0.5, 0.010),
    # paid by a creator's flat fee that no spend file reports
    Campaign("tiktok", "paid_social", "creator_clips", SOCIAL, 4, 0.01),
    Campaign("facebook", "social", None, SOCIAL, 4, 0.03),
    Campaign("newsletter", "email", "weekly_newsletter", EMAIL, 3, 0.19),
    Campaign("partner.example", "referral", None, OTHER, 4, 0.03),
    Campaign(
        "display_network", "display", "display_banners", OTHER, 5, 0.02, 0.35, 0.4, 0.4, 0.004
    ),
    # no tags at all; takes the later sessions that the others leave
    Campaign(None, None, None, DIRECT, 13, 0.0),
)
GENERIC_SEARCH_CAMPAIGN, EMAIL_CAMPAIGN, DIRECT_CAMPAIGN = 1, 8, 11
# Spend whose visitors cannot be recognised: its row must survive a join from the sessions' side.
UNTRACKED_SPEND = ("podcast", "audio", "podcast_sponsoring", 25.0)
# Ceiling of |log(spend / base)|: keeps the shares of later sessions below one.
SPEND_LOG_LIMIT = 1.05
SPEND_DAILY_SD = 0.08
TRAFFIC_DAILY_SD = 0.05
LOST_CLICKS = 0.08

# Monday first. Evenings and weekends are for shopping.
WEEKDAY_WEIGHTS = (1.0, 0.97, 0.96, 0.99, 1.03, 1.12, 1.18)
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 3, 5, 6, 6, 6, 6, 7, 6, 6, 6, 6, 7, 8, 10, 11, 10, 7, 4)
GROWTH = 0.15

COUNTRIES = ("United States", "United Kingdom", "Germany", "France", "Canada")
COUNTRY_WEIGHTS = (0.52, 0.16, 0.14, 0.1, 0.08)
DEVICES = ("mobile", "desktop", "tablet")
DEVICE_WEIGHTS = (0.62, 0.33, 0.05)
SEARCH_TERMS = ("running shoes", "rain jacket", "tent 2 person", "gift card", "size chart")
ITEMS = 400
# Numbers of pages: below the thank-you page are articles, from PRODUCT_PAGES on the items.
LANDING_PAGE, THANK_YOU_PAGE, PRODUCT_PAGES = 0, 30, 1000

# Most people come once. Later sessions: geometric number, exponential gaps.
RETURN_SHARE = 0.30
RETURN_GAP_DAYS = 7.0
HEAVY_SESSIONS_MEAN = 60.0
# Between two sessions of a person lies more than the 30 minutes that end a visit.
SESSION_TIMEOUT = 30 * MINUTE
BETWEEN_SESSIONS = 31 * MINUTE

# People with two devices log in on both; some others log in too.
TWO_DEVICE_SHARE = 0.05
LOGIN_SHARE = 0.2
# The person refuses analytics: such events are counted, never kept.
REFUSED_SHARE = 0.03

# Shares of clean rows, unless said otherwise.
DUPLICATE_SHARE = 0.01
LATE_ROW_SHARE = 0.006
LATE_SESSION_SHARE = 0.006
BOT_SHARE = 0.015
MALFORMED_SHARE = 0.0008
ORDER_NOT_SET_SHARE = 0.04
ORDER_REPEATED_SHARE = 0.01
CLICK_ID_ONLY_SHARE = 0.02
REFUNDED_SHARE = 0.02
REVALUED_SHARE = 0.08

# (event, source, days before the end, share of the event's sessions that lost it)
OUTAGES = (
    (VIDEO_PROGRESS, "ga4", 40, 0.6),
    (VIDEO_PROGRESS, "ga4", 39, 0.6),
)

BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)
# By device, in the order of DEVICES.
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
)
SEGMENTS = len(INTENT_CLASSES) * len(VISITOR_TYPES)


def segment_name(segment: int) -> tuple[str, str]:
    """Intent class and visitor type of a segment code (intent * 2 + returning)."""
    return INTENT_CLASSES[segment // 2], VISITOR_TYPES[segment % 2]
