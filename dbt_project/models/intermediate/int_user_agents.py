"""One row per distinct user agent with the bot rule that it matches.

In Python because the list of known crawlers is a Python package; the matching itself runs on the
engine, over agents that were not matched before.
"""

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

# together the patterns outgrow the memory of a linear matcher, one by one they are read 1,500 times
PATTERNS_AT_ONCE = 100
# patterns of the list that browsers of people match too: a build of Android 15 on phones of several
# makers, the browsers of Sogou and Fluid, phones named Butterfly, Expanse, Fever, Sonic or with 008
# at the end, pages opened in Viber; bot_rules.csv knows the crawlers by more than the word
MATCH_PEOPLE = {
    *(r"AP3A\.240617\.008", r"008\/", "Butterfly", "Expanse", "Fever", "Fluid", "Sogou", "Sonic"),
    "Viber",
}


def known_crawler(agent):
    """An SQL condition: the package's list knows the agent. Its patterns mind capitals."""
    patterns = [
        f"(?:{entry['pattern']})"
        for entry in CRAWLER_USER_AGENTS_DATA
        if entry["pattern"] not in MATCH_PEOPLE
    ]
    groups = [
        "|".join(patterns[start : start + PATTERNS_AT_ONCE]).replace("'", "''")
        for start in range(0, len(patterns), PATTERNS_AT_ONCE)
    ]
    return "(" + " or ".join(f"regexp_matches({agent}, '{group}')" for group in groups) + ")"


def model(dbt, session):
    """The business's own rules first, then the list; who the business calls no bot is none."""
    dbt.config(materialized="incremental", incremental_strategy="append")
    agents = dbt.ref("int_agents_met")
    bot_rules = dbt.ref("bot_rules")  # noqa: F841 - the query reads it by this name
    if dbt.is_incremental:
        agents = agents.filter(f"user_agent not in (select user_agent from {dbt.this})")
    return session.query(
        f"""
        with

        own_rules as (
            select
                agents.user_agent,
                min(case when bot_rules.kind = 'user_agent' then bot_rules.rule end) as bot_rule,
                count(case when bot_rules.kind = 'not_a_bot' then 1 end) > 0 as is_no_bot
            from agents
            left join bot_rules
                on bot_rules.kind in ('user_agent', 'not_a_bot')
                and regexp_matches(lower(agents.user_agent), bot_rules.pattern)
            group by agents.user_agent
        )

        select
            user_agent,
            case
                when is_no_bot then null
                when bot_rule is not null then bot_rule
                when {known_crawler("user_agent")} then 'crawler_user_agents'
            end::varchar as bot_rule
        from own_rules
        """
    )
