"""One row per month and channel group with the share of conversions lost without that channel.

A linear system of a few dozen unknowns for each month; the counting is val_channel_transitions.
"""

import numpy

START, CONVERSION = "(start)", "(conversion)"
ENDS = (CONVERSION, "(null)")


def removal_effects(steps):
    """Channel → share of conversions lost when its visitors leave instead, from {(from, to): n}.

    The absorbing chain's N = (I - Q)^-1 gives how often a path comes by. Of all paths,
    N[start, c] / N[c, c] ever see the channel c, and N[c] . R of these convert from there on: so
    many conversions need it. With every path ending, I - Q has an inverse.
    """
    states = sorted({state for step in steps for state in step} - {START, *ENDS})
    places = {state: place for place, state in enumerate([START, *states])}
    moves = numpy.zeros((len(places), len(places)))
    converts = numpy.zeros(len(places))
    leaves = numpy.zeros(len(places))
    for (from_state, to_state), count in steps.items():
        row = places[from_state]
        leaves[row] += count
        if to_state in places:
            moves[row, places[to_state]] += count
        elif to_state == CONVERSION:
            converts[row] += count
    leaves[leaves == 0] = 1
    visits = numpy.linalg.inv(numpy.eye(len(places)) - moves / leaves[:, None])
    reaches = visits @ (converts / leaves)
    if reaches[0] <= 0:
        return dict.fromkeys(states, 0.0)
    sees = visits[0] / numpy.diag(visits)
    lost = numpy.clip(sees * reaches / reaches[0], 0.0, 1.0)
    return {state: float(lost[places[state]]) for state in states}


def model(dbt, session):
    """Each month from the paths that ended in it and in the months before, var markov_months."""
    dbt.config(materialized="table")
    months_read = int(dbt.config.get("markov_months"))
    counted = dbt.ref("val_channel_transitions").fetchall()
    by_month = {}
    for month, from_state, to_state, count in counted:
        by_month.setdefault(month.year * 12 + month.month - 1, []).append(
            ((from_state, to_state), count)
        )
    rows = []
    for number in sorted(by_month):
        steps = {}
        for earlier in range(number - months_read + 1, number + 1):
            for step, count in by_month.get(earlier, ()):
                steps[step] = steps.get(step, 0) + count
        year, month = divmod(number, 12)
        rows += [
            (f"{year:04}-{month + 1:02}-01", channel, effect)
            for channel, effect in sorted(removal_effects(steps).items())
        ]
    # the query below reads it by its name
    effects = {  # noqa: F841
        "month": numpy.asarray([row[0] for row in rows], dtype=object),
        "channel_group": numpy.asarray([row[1] for row in rows], dtype=object),
        "removal_effect": numpy.asarray([row[2] for row in rows], dtype=float),
    }
    return session.query(
        """
        select
            month::varchar::date as month,
            channel_group::varchar as channel_group,
            removal_effect::double as removal_effect
        from effects
        """
    )
