"""The promise is broken on purpose, once for each rule, to see its test fail.

PATHS break only what a night does and a full refresh does not: the nights must then leave other
tables than the refresh. RULES break both alike: what was reckoned without SQL must then differ.
BOUNDS break how far a night looks back, behind a past that reaches further.
NOTES are about what a night leaves for the next one, with runs
between them that build only a part.
TIES are rules about the order of events, which the model's own unit tests hold.
"""

import shutil
from dataclasses import replace

import pytest
from pipeline.histories import NIGHTS
from pipeline.homes import Home, Workshop
from pipeline.mutants import BrokenProject, Mutation, unit_tests_pass
from pipeline.promise_checks import (
    MIDWAY,
    Done,
    orders_count_once,
    people_are_those_of_their_last_login,
    sessions_are_exact,
)
from pipeline.shared_nights import Setting, SharedNights
from pipeline.test_bounds_of_a_night import behind_the_past, refreshed, second_night
from pipeline.test_partial_nights import nights_with_parts

from orchestration.errors import IntentMapError

INTERMEDIATE, VALUATION = "models/intermediate", "models/valuation"
EXPRESSIONS = "macros/expressions"
OVERRIDES = "macros/overrides"
REFUSALS = "macros/expressions/refusal_reason.sql"
LOOK_BACK = Mutation(
    "the visit that an arrival falls into is built again from its start",
    f"{INTERMEDIATE}/int_session_events.sql",
    "arrivals.arrived_from, coalesce(min(kept.visit_started_at), arrivals.arrived_from)",
    "arrivals.arrived_from, arrivals.arrived_from",
)
PATHS = (
    LOOK_BACK,
    Mutation(
        "the visit that an arrival follows within the timeout is built again",
        f"{INTERMEDIATE}/int_session_events.sql",
        "'-' ~ var('session_timeout_minutes')",
        "'-' ~ (var('session_timeout_minutes') - 1)",
    ),
    Mutation(
        "a row that came on an earlier night is a duplicate",
        f"{INTERMEDIATE}/int_event_receipts.sql",
        "where came_before or copy_number > 1",
        "where copy_number > 1",
    ),
    Mutation(
        "a row whose twin was refused on an earlier night is none",
        f"{INTERMEDIATE}/int_event_receipts.sql",
        "kept.outcome = 'accepted'",
        "true",
    ),
    Mutation(
        "the number of a visit counts those that are kept",
        f"{INTERMEDIATE}/int_all_sessions.sql",
        "+ coalesce(sessions_before.sessions_before, 0)",
        "+ 0",
    ),
    Mutation(
        "a visit from the touched moment on is not one of those that are kept",
        f"{INTERMEDIATE}/int_all_sessions.sql",
        "kept.started_at < touched.touched_from",
        "kept.started_at <= touched.touched_from",
    ),
    Mutation(
        "a visit is read from the earliest arrival on, not from the latest",
        f"{INTERMEDIATE}/int_all_sessions.sql",
        "min({{ touched_from }}) as touched_from",
        "max({{ touched_from }}) as touched_from",
    ),
    Mutation(
        "the sessions that go are noted as changed",
        f"{OVERRIDES}/get_incremental_replace_touched_sql.sql",
        '~ " as kept inner join " ~ touched ~ " on " ~ is_replaced',
        '~ " as kept inner join " ~ touched ~ " on false"',
    ),
    Mutation(
        "the sessions that come are noted as changed",
        f"{OVERRIDES}/get_incremental_replace_touched_sql.sql",
        """~ arg_dict['temp_relation']\n        )""",
        """~ arg_dict['temp_relation'] ~ " where false"\n        )""",
    ),
    Mutation(
        "a session that changed has its old rows taken out",
        f"{OVERRIDES}/get_incremental_replace_changed_sql.sql",
        "changed_since_last_build(**changed_by)",
        "'false and ' ~ changed_since_last_build(**changed_by)",
    ),
    Mutation(
        "the rows of users who have none any more go",
        f"{OVERRIDES}/get_incremental_replace_users_sql.sql",
        "where {{ changed_since_last_build(column",
        "where false and {{ changed_since_last_build(column",
    ),
    Mutation(
        "a user whose session changed is read although no kept row speaks of it",
        f"{INTERMEDIATE}/int_funnel_progress.sql",
        "where {{ changed_since_last_build('session_key') }}",
        "where false and {{ changed_since_last_build('session_key') }}",
    ),
    Mutation(
        "a change is a step of entries on days before it",
        f"{INTERMEDIATE}/int_funnel_progress.sql",
        "dbt.dateadd('day', -days, 'min(date)')",
        "dbt.dateadd('day', 0, 'min(date)')",
    ),
    Mutation(
        "a conversion shares its credit with sessions of days before it",
        f"{VALUATION}/val_attribution_credits.sql",
        "dbt.dateadd('day', -reach, 'min(date)')",
        "dbt.dateadd('day', 0, 'min(date)')",
    ),
    Mutation(
        "rows that went are taken out",
        f"{OVERRIDES}/get_incremental_replace_differing_sql.sql",
        '"(" ~ key ~ ") in (',
        '"false and (" ~ key ~ ") in (',
    ),
    Mutation(
        "rows that came are put in",
        f"{OVERRIDES}/get_incremental_replace_differing_sql.sql",
        "where is_new",
        "where false and is_new",
    ),
    *(
        Mutation(
            f"the sessions of rows of {model} that differ are noted as changed",
            f"{INTERMEDIATE}/{model}.sql",
            "'notes_changes': true",
            "'notes_changes': false",
        )
        for model in ("int_macro_conversions", "int_session_credits", "int_visitor_identities")
    ),
    Mutation(
        "rows at the very moment from which a visitor was touched go",
        f"{OVERRIDES}/get_incremental_replace_touched_sql.sql",
        '~ " >= touched.touched_from and',
        '~ " > touched.touched_from and',
    ),
    Mutation(
        "a load that was seen is not read again",
        "macros/hooks/arrived_since_last_build.sql",
        "load_id > ",
        "load_id >= ",
    ),
    Mutation(
        "a login counts also when it comes on a later night",
        f"{INTERMEDIATE}/int_logins.sql",
        "user_id is not null",
        "user_id is not null {% if is_incremental() %} and false {% endif %}",
    ),
    Mutation(
        "an agent that comes on a later night is looked at",
        f"{INTERMEDIATE}/int_agents_met.sql",
        "staged_events.user_agent is not null",
        "staged_events.user_agent is not null {% if is_incremental() %} and false {% endif %}",
    ),
)
BOUNDS = (
    Mutation(
        "a path that ended within the look-back before a change goes on",
        f"{VALUATION}/val_channel_transitions.sql",
        "first_month_changed(reach)",
        "first_month_changed(0)",
    ),
    Mutation(
        "who came on the first day that is read is one of those that are read",
        f"{VALUATION}/val_channel_transitions.sql",
        "where session_date >= date",
        "where session_date > date",
    ),
    Mutation(
        "the path of who comes again goes back to before the days that are read",
        f"{VALUATION}/val_channel_transitions.sql",
        "where session_date < date",
        "where false and session_date < date",
    ),
    Mutation(
        "who came within the look-back before the days that are read goes on",
        f"{VALUATION}/val_channel_transitions.sql",
        "'day', -reach,",
        "'day', -1,",
    ),
    Mutation(
        "a path goes back to visits with another device",
        f"{VALUATION}/val_channel_transitions.sql",
        "inner join users_of_both on identities.user_key = users_of_both.user_key",
        "inner join users_of_both on identities.visitor_key = users_of_both.user_key",
    ),
    Mutation(
        "a path of who never logged in goes back too",
        f"{VALUATION}/val_channel_transitions.sql",
        "where identities.visitor_key is null",
        "where false and identities.visitor_key is null",
    ),
    Mutation(
        "a path that ended on the first day of the month is counted anew",
        f"{VALUATION}/val_channel_transitions.sql",
        "where ended_on >= date",
        "where ended_on > date",
    ),
    Mutation(
        "the transitions of months before stay",
        f"{VALUATION}/val_channel_transitions.sql",
        "where month < date",
        "where false and month < date",
    ),
    *(
        Mutation(
            f"the days of rows of {model} that differ are noted as changed",
            f"{INTERMEDIATE}/{model}.sql",
            "'notes_changes': true",
            "'notes_changes': false",
        )
        for model in ("int_daily_spend", "int_daily_refunds")
    ),
    Mutation(
        "the days of sessions that changed are counted anew",
        "models/marts/mart_daily_funnels.sql",
        "besides = ['int_visitor_identities', ",
        "besides = ['int_all_sessions', 'int_visitor_identities', ",
    ),
    Mutation(
        "the days of sessions that are credited otherwise are counted anew",
        "models/marts/mart_daily_values.sql",
        "besides = ['int_visitor_identities'",
        "besides = ['int_session_credits', 'int_visitor_identities'",
    ),
    Mutation(
        "a visitor with a new login is known by all of them",
        f"{INTERMEDIATE}/int_visitor_identities.sql",
        "on all_logins.visitor_key = visitors_with_new_logins.visitor_key",
        "on all_logins.visitor_key = visitors_with_new_logins.visitor_key "
        "and {{ arrived_since_last_build() }}",
    ),
    Mutation(
        "a visitor without a new login stays known",
        f"{INTERMEDIATE}/int_visitor_identities.sql",
        "'part_by': 'visitor_key'",
        "'part_by': none",
    ),
    Mutation(
        "the credit of an order looks back from the first day that is read",
        f"{INTERMEDIATE}/int_session_credits.sql",
        "first_date_changed(reach + 1)",
        "first_date_changed(0)",
    ),
    Mutation(
        "a visit with another device shares the credit of an order that comes later",
        f"{INTERMEDIATE}/int_session_credits.sql",
        "'day', reach + 1, 'changed",
        "'day', 1, 'changed",
    ),
    Mutation(
        "a visit that turns out to be somebody else's shares no credit",
        f"{INTERMEDIATE}/int_session_credits.sql",
        "where {{ changed_since_last_build('session_key') }}",
        "where false",
    ),
    Mutation(
        "an order that is counted elsewhere credits nobody",
        f"{INTERMEDIATE}/int_session_credits.sql",
        "        'changed_by': {'column': 'session_key', 'key': 'session_key'},",
        "",
    ),
    Mutation(
        "credit of orders that no change reaches stays",
        f"{INTERMEDIATE}/int_session_credits.sql",
        "'part_by': 'event_key'",
        "'part_by': none",
    ),
    Mutation(
        "an order that is counted elsewhere is not shown",
        "models/marts/mart_macro_conversions.sql",
        "        'changed_by': {'column': 'session_key', 'key': 'public_session_key'},",
        "",
    ),
    Mutation(
        "orders of sessions that did not change stay",
        "models/marts/mart_macro_conversions.sql",
        "'part_by': 'session_key'",
        "'part_by': none",
    ),
    Mutation(
        "an order of a session that changed is shown anew",
        "models/marts/mart_macro_conversions.sql",
        "{{ changed_since_last_build('session_key') }}",
        "false",
    ),
    Mutation(
        "what was given back of an order is shown",
        "models/marts/mart_macro_conversions.sql",
        "coalesce(refunds_of_orders.refunded, 0) <> kept.refunded",
        "false",
    ),
    Mutation(
        "rows of sessions that changed are read from the first of them on",
        "macros/hooks/changed_since_last_build.sql",
        "date_before(changes, 1)",
        "date_before(changes, -9)",
    ),
    Mutation(
        "what a visitor is replaced from is the first moment of all",
        f"{OVERRIDES}/get_incremental_replace_touched_sql.sql",
        "coalesce(min(touched_from)",
        "coalesce(max(touched_from)",
    ),
    Mutation(
        "what a user is replaced from is the first date of all",
        f"{OVERRIDES}/get_incremental_replace_users_sql.sql",
        "select min(touched_from) from (",
        "select max(touched_from) from (",
    ),
    Mutation(
        "a conversion that is credited anew looks back from its own day",
        f"{VALUATION}/val_attribution_credits.sql",
        "first_date_changed(2 * reach,",
        "first_date_changed(reach,",
    ),
    Mutation(
        "an entry whose later step changed is read, and those that go with it",
        f"{INTERMEDIATE}/int_funnel_progress.sql",
        "first_date_changed(2 * days) ",
        "first_date_changed(days) ",
    ),
    Mutation(
        "the steps of all these entries are read",
        f"{INTERMEDIATE}/int_funnel_progress.sql",
        "first_date_changed(2 * days + 1)",
        "first_date_changed(days)",
    ),
    Mutation(
        "an entry whose later step changed is found",
        f"{INTERMEDIATE}/int_funnel_progress.sql",
        "kept.date >= date '{{ first_date_changed(days) }}'",
        "kept.date >= date '{{ first_date_changed(0) }}'",
    ),
    *(
        Mutation(
            f"credit of conversions that {source} notes is counted anew",
            f"{VALUATION}/val_attribution_credits.sql",
            "besides = ['int_session_credits'",
            f"besides = ['int_session_credits', '{source}'",
        )
        for source in ("int_all_sessions", "int_macro_conversions")
    ),
    Mutation(
        "credit is counted anew in the months that a change reaches",
        "models/marts/mart_attribution.sql",
        "first_month_changed(days_of_credit(), days_of_credit(),",
        "first_month_changed(0, 0,",
    ),
    Mutation(
        "credit is counted anew as far back as conversions of these months reach",
        "models/marts/mart_attribution.sql",
        "first_month_changed(days_of_credit(), days_of_credit(),",
        "first_month_changed(days_of_credit(), 0,",
    ),
    Mutation(
        "credit of days before stays counted",
        "models/marts/mart_attribution.sql",
        "where date < date",
        "where false and date < date",
    ),
    Mutation(
        "steps are counted anew on the days of entries that changed",
        "models/marts/mart_funnel_steps.sql",
        "first_date_changed(2 * ",
        "first_date_changed(0 * ",
    ),
    Mutation(
        "steps of days before stay counted",
        "models/marts/mart_funnel_steps.sql",
        "where date < date",
        "where false and date < date",
    ),
    Mutation(
        "ids that decide a tie are read from the loads that brought it",
        "macros/hooks/not_landed_before.sql",
        "select min(load_id)",
        "select max(load_id)",
    ),
    Mutation(
        "the first load behind those that were seen is read",
        "macros/hooks/arrived_since_last_build.sql",
        "and load_id > {{ last_loads",
        "and load_id > 3 + {{ last_loads",
    ),
    Mutation(
        "what a visit did behind midnight is of the day on which it began",
        "macros/hooks/changed_since_last_build.sql",
        "set days_after = 2 + longest",
        "set days_after = 1 + 0 * longest",
    ),
    Mutation(
        "of days near each other that changed the first one is read too",
        "macros/hooks/changed_since_last_build.sql",
        "set starts_on = spans.pop()[0]",
        "set starts_on = spans.pop() and starts_on",
    ),
    Mutation(
        "goals are looked for in the sessions that changed",
        f"{INTERMEDIATE}/int_macro_events.sql",
        "and {{ changed_since_last_build",
        "and {{ 'false' if is_incremental() else 'true' }} and {{ changed_since_last_build",
    ),
)
# broken in a night behind a new version, which changes most days by itself
OF_A_VERSION = (
    Mutation(
        "a day of spend alone gets the version that comes into force",
        "macros/hooks/note_changed_sessions.sql",
        "where spend_date >= ",
        "where false and spend_date >= ",
    ),
)
NOTES = (
    Mutation(
        "a load that was not seen is not taken for one that was",
        "macros/hooks/remember_arrivals.sql",
        "max(load_id) as load_id",
        "max(load_id) + 1 as load_id",
    ),
    Mutation(
        "the last load of a source that had one is noted",
        "macros/hooks/remember_arrivals.sql",
        "and load_id > {{ mark[1] }}",
        "and load_id < {{ mark[1] }}",
    ),
    Mutation(
        "a change that a model has not seen is not forgotten",
        "macros/hooks/note_changed_sessions.sql",
        "case when count(*) = count(seen.change_number) then min(seen.change_number) end",
        "max(seen.change_number)",
    ),
)
RULES = (
    Mutation(
        "a gap equal to the timeout stays in the visit",
        f"{EXPRESSIONS}/is_visit_start.sql",
        "{{ occurred_at }} > {{",
        "{{ occurred_at }} >= {{",
    ),
    Mutation(
        "a visit is cut at the longest time",
        f"{INTERMEDIATE}/int_session_events.sql",
        "floor(",
        "0 * floor(",
    ),
    Mutation(
        "the last login holds, not the first",
        f"{EXPRESSIONS}/login_rank.sql",
        "order by occurred_at desc",
        "order by occurred_at asc",
    ),
    Mutation(
        "of the rows of one event the first one that landed counts",
        f"{INTERMEDIATE}/int_event_receipts.sql",
        "order by load_id, loaded_at, row_number",
        "order by load_id desc, loaded_at desc, row_number desc",
    ),
    Mutation(
        "an order counts once",
        f"{INTERMEDIATE}/int_macro_conversions.sql",
        "where copy_number = 1",
        "where copy_number <= 2",
    ),
    Mutation(
        "of the purchases of an order the first one counts",
        f"{INTERMEDIATE}/int_macro_conversions.sql",
        "macro_events.occurred_at,\n                macro_events.sequence",
        "macro_events.occurred_at desc,\n                macro_events.sequence",
    ),
    Mutation(
        "a placeholder is no order id",
        f"{EXPRESSIONS}/placeholders.sql",
        "'(not set)', ",
        "",
    ),
    Mutation(
        "an event without consent is refused",
        REFUSALS,
        "in ('denied', ",
        "in (",
    ),
    Mutation(
        "a bot is refused",
        REFUSALS,
        "{{ bot_rule }} is not null",
        "false",
    ),
    Mutation(
        "a currency without a rate is refused",
        REFUSALS,
        "and {{ currency_rate }} is null",
        "and false",
    ),
    Mutation(
        "dates are those of the reporting time zone",
        "macros/dialect/time.sql",
        "timezone('{{ var(\"reporting_time_zone\") }}', timezone('UTC', {{ moment }}))",
        "{{ moment }}",
    ),
)
TIES = (
    (
        "int_session_events",
        Mutation(
            "the sequence decides between equal times",
            f"{INTERMEDIATE}/int_session_events.sql",
            "{%- set by_time = 'occurred_at, sequence' -%}",
            "{%- set by_time = 'occurred_at, sequence desc' -%}",
        ),
    ),
    (
        "int_session_events",
        Mutation(
            "the id decides between equal times and sequences",
            f"{INTERMEDIATE}/int_session_events.sql",
            "order by own_event_id, event_key",
            "order by event_key",
        ),
    ),
    (
        "int_visitor_identities",
        Mutation(
            "the sequence decides between logins at one time",
            f"{EXPRESSIONS}/login_rank.sql",
            "sequence desc",
            "sequence asc",
        ),
    ),
)


@pytest.fixture(scope="module")
def project(workshop: Workshop) -> BrokenProject:
    return BrokenProject(workshop.folder / "broken")


def nights_differ(project: BrokenProject, promise: Done, mutation: Mutation) -> bool:
    """Whether the nights from midway on, run by the broken project, leave something else."""
    shared = promise.shared
    undisturbed = Setting(shared.setting.name, shared.setting.dbt_vars)
    nights = SharedNights(shared.workshop, undisturbed, shared.batch, "broken", shared.as_it_is)
    home = project.home(promise.midway, "broken_nights")
    try:
        with project.broken(mutation):
            for night in range(MIDWAY, NIGHTS):
                nights.run_night(home, night)
        left, wanted = (
            # the same files landed once more, at another time
            of.fingerprints(without=("landed_at", "loaded_at"))
            for of in (home, promise.refreshed)
        )
        return left != wanted
    except IntentMapError:
        # a run that stops has not left the same either
        return True
    finally:
        shutil.rmtree(home.path)


def reckoning_differs(project: BrokenProject, promise: Done, mutation: Mutation) -> bool:
    home = project.home(promise.nights, "broken_refresh")
    broken = Done(promise.shared, promise.midway, home, home, promise.reckoned)
    try:
        with project.broken(mutation):
            home.night(full_refresh=True)
        sessions_are_exact(broken)
        orders_count_once(broken)
        people_are_those_of_their_last_login(broken)
    except (AssertionError, IntentMapError):
        return True
    finally:
        shutil.rmtree(home.path)
    return False


def test_every_rule_still_stands_where_it_is_broken() -> None:
    mutations = [
        *PATHS,
        *BOUNDS,
        *OF_A_VERSION,
        *NOTES,
        *RULES,
        *(mutation for _, mutation in TIES),
    ]
    assert not [fault for mutation in mutations if (fault := mutation.fault())]
    assert LOOK_BACK.fault() != replace(LOOK_BACK, old="select nothing").fault()


@pytest.mark.deep
def test_nights_of_an_unbroken_copy_leave_what_a_full_refresh_leaves(
    project: BrokenProject, promise: Done
) -> None:
    """Or all of the above would prove nothing."""
    unbroken = Mutation("nothing", LOOK_BACK.file, LOOK_BACK.old, f"{LOOK_BACK.old} ")
    assert not nights_differ(project, promise, unbroken)
    assert not reckoning_differs(project, promise, unbroken)


@pytest.mark.deep
@pytest.mark.parametrize("mutation", PATHS, ids=[mutation.rule for mutation in PATHS])
def test_nights_with_a_broken_path_leave_something_else_than_a_full_refresh(
    project: BrokenProject, promise: Done, mutation: Mutation
) -> None:
    assert nights_differ(project, promise, mutation)


@pytest.fixture(scope="module")
def bounded(workshop: Workshop) -> dict[bool, tuple[Home, Home]]:
    """A long past before its second night, and what a full refresh leaves behind that; with a
    version between them and without."""
    before = behind_the_past(workshop, "bounded")
    wanted = {}
    for version in (False, True):
        home = before.copy(f"bounded_{version}")
        second_night(home, version)
        wanted[version] = (before, refreshed(home, f"bounded_{version}_refreshed"))
    return wanted


def bounded_night_differs(
    project: BrokenProject,
    bounded: dict[bool, tuple[Home, Home]],
    mutation: Mutation,
    version: bool,
) -> list[str]:
    """The tables that differ."""
    before, wanted = bounded[version]
    home = project.home(before, "broken_bounded")
    try:
        with project.broken(mutation):
            second_night(home, version)
        of_the_clock = ("landed_at", "loaded_at", "known_from", "known_to")
        left, right = (of.fingerprints(without=of_the_clock) for of in (home, wanted))
        return sorted(name for name in left | right if left.get(name) != right.get(name))
    finally:
        shutil.rmtree(home.path)


@pytest.mark.deep
@pytest.mark.parametrize("version", [False, True])
def test_a_night_of_an_unbroken_copy_leaves_what_a_full_refresh_leaves_behind_a_long_past(
    project: BrokenProject, bounded: dict[bool, tuple[Home, Home]], version: bool
) -> None:
    """Or the broken bounds would prove nothing."""
    unbroken = Mutation("nothing", LOOK_BACK.file, LOOK_BACK.old, f"{LOOK_BACK.old} ")
    assert not bounded_night_differs(project, bounded, unbroken, version)


@pytest.mark.deep
@pytest.mark.parametrize(
    "mutation",
    [*BOUNDS, *OF_A_VERSION],
    ids=[mutation.rule for mutation in (*BOUNDS, *OF_A_VERSION)],
)
def test_a_night_with_a_broken_bound_leaves_something_else_than_a_full_refresh(
    project: BrokenProject, bounded: dict[bool, tuple[Home, Home]], mutation: Mutation
) -> None:
    assert bounded_night_differs(project, bounded, mutation, mutation in OF_A_VERSION)


def partial_nights_differ(project: BrokenProject, workshop: Workshop, mutation: Mutation) -> bool:
    home = project.home(workshop.home("parts_to_break"), "broken_parts")
    try:
        with project.broken(mutation):
            nights_with_parts(home)
        refreshed = home.copy("broken_parts_refreshed")
        refreshed.night(full_refresh=True)
        return home.fingerprints() != refreshed.fingerprints()
    finally:
        for left in workshop.folder.glob("*parts*"):
            shutil.rmtree(left)


@pytest.mark.deep
@pytest.mark.parametrize("mutation", NOTES, ids=[mutation.rule for mutation in NOTES])
def test_partial_nights_with_a_broken_note_leave_something_else_than_a_full_refresh(
    project: BrokenProject, workshop: Workshop, mutation: Mutation
) -> None:
    unbroken = Mutation("nothing", mutation.file, mutation.old, f"{mutation.old} ")
    assert not partial_nights_differ(project, workshop, unbroken)
    assert partial_nights_differ(project, workshop, mutation)


@pytest.mark.deep
@pytest.mark.parametrize("mutation", RULES, ids=[mutation.rule for mutation in RULES])
def test_a_broken_rule_leaves_something_else_than_was_reckoned(
    project: BrokenProject, promise: Done, mutation: Mutation
) -> None:
    assert reckoning_differs(project, promise, mutation)


@pytest.mark.deep
@pytest.mark.parametrize(("model", "mutation"), TIES, ids=[mutation.rule for _, mutation in TIES])
def test_a_broken_order_of_ties_fails_a_unit_test(
    project: BrokenProject, promise: Done, model: str, mutation: Mutation
) -> None:
    home = project.home(promise.nights, "broken_ties")
    try:
        with project.broken(Mutation("nothing", mutation.file, mutation.old, mutation.old + " ")):
            assert unit_tests_pass(home, model)
        with project.broken(mutation):
            assert not unit_tests_pass(home, model)
    finally:
        shutil.rmtree(home.path)
