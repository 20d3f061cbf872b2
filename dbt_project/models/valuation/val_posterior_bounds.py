"""One row per row of val_posteriors with the bounds of its Beta posterior.

The only step of the valuation that SQL engines have no function for: a few hundred small rows.
"""

import collections
import itertools

import numpy

# not scipy.stats, which takes seconds to import
from scipy import special


def model(dbt, session):
    """Equal-tailed interval of var interval_level, with the estimate in it, and the normal
    quantile of the same level."""
    dbt.config(materialized="table", tags=["quarterly"])
    tail = (1 - dbt.config.get("interval_level")) / 2
    keys = ("macro_conversion", "micro_conversion", "intent_class", "visitor_type")
    rows = dbt.ref("val_posteriors").fetchnumpy()
    bounds = {key: numpy.asarray(rows[key], dtype=object) for key in keys}
    successes = numpy.asarray(rows["successes"], dtype=float)
    failures = numpy.asarray(rows["failures"], dtype=float)
    # a parameter of zero has no density: one bound is the edge itself, the other is that of half a
    # success (or failure), since so many trials without one do not make it impossible
    a = numpy.where(successes > 0, successes, 0.5)
    b = numpy.where(failures > 0, failures, 0.5)
    lower, upper = special.betaincinv(a, b, tail), special.betaincinv(a, b, 1 - tail)
    # a Beta of a small part of one success is so skewed that its mean, the estimate, is rarer than
    # the tail: the interval goes on to it
    mean = a / (a + b)
    bounds["probability_lower"] = numpy.where(successes > 0, numpy.minimum(lower, mean), 0.0)
    bounds["probability_upper"] = numpy.where(failures > 0, numpy.maximum(upper, mean), 1.0)
    bounds["z"] = numpy.full(len(successes), -special.ndtri(tail))
    bounds["z_of_family"] = -special.ndtri(tail / _groups_judged(dbt, rows))
    return session.query(
        """
        select
            macro_conversion::varchar as macro_conversion,
            micro_conversion::varchar as micro_conversion,
            intent_class::varchar as intent_class,
            visitor_type::varchar as visitor_type,
            probability_lower::double as probability_lower,
            probability_upper::double as probability_upper,
            z::double as z,
            z_of_family::double as z_of_family
        from bounds
        """
    )


def _groups_judged(dbt, rows):
    """How many groups of the same micro-conversion, below all, have trials enough for a verdict."""
    pairs = list(zip(rows["macro_conversion"], rows["micro_conversion"], strict=True))
    is_judged = (numpy.asarray(rows["intent_class"]) != "(all)") & (
        numpy.asarray(rows["trials"]) >= dbt.config.get("minimum_trials")
    )
    judged = collections.Counter(itertools.compress(pairs, is_judged))
    return numpy.array([max(judged[pair], 1) for pair in pairs], dtype=float)
