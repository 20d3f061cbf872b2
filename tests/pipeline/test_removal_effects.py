"""Removal effects of channels: against removing a channel and walking again, and at the edges."""

import importlib.util
import itertools

import numpy
import pytest

from orchestration.settings import PROJECT_ROOT

START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"


def _removal_effects():
    path = PROJECT_ROOT / "dbt_project" / "models" / "valuation" / "val_channel_removals.py"
    spec = importlib.util.spec_from_file_location("val_channel_removals", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.removal_effects


removal_effects = _removal_effects()


def steps_of(paths):
    """{(from, to): n} of [(channels, converts, n)]."""
    steps = {}
    for channels, converts, count in paths:
        states = [START, *channels, CONVERSION if converts else NULL]
        for step in itertools.pairwise(states):
            steps[step] = steps.get(step, 0) + count
    return steps


def conversion_rate(steps, removed=None):
    """Share of paths that convert when whoever comes to `removed` leaves, walked step by step."""
    leaves = {}
    for (state, _), count in steps.items():
        leaves[state] = leaves.get(state, 0) + count
    at, converted = {START: 1.0}, 0.0
    for _ in range(2000):
        following = {}
        for (state, to_state), count in steps.items():
            share = at.get(state, 0.0) * count / leaves[state]
            if to_state == CONVERSION:
                converted += share
            elif to_state not in (NULL, removed):
                following[to_state] = following.get(to_state, 0.0) + share
        at = following
    return converted


def test_a_case_computed_by_hand():
    # A alone fails once; A then B converts once; B alone converts once. From the start 2/3 go to
    # A, 1/3 to B; of A 1/2 goes to B. All pass B, so it is needed for everything; A for half.
    effects = removal_effects(
        steps_of([(["A"], False, 1), (["A", "B"], True, 1), (["B"], True, 1)])
    )
    assert effects == pytest.approx({"A": 0.5, "B": 1.0})


def test_effects_equal_those_of_removing_each_channel_and_walking_again():
    random = numpy.random.default_rng(3)
    for _ in range(20):
        channels = [f"channel {number}" for number in range(random.integers(1, 7))]
        paths = [
            (
                [str(name) for name in random.choice(channels, random.integers(1, 6))],
                bool(random.random() < 0.4),
                int(random.integers(1, 9)),
            )
            for _ in range(30)
        ]
        steps = steps_of(paths)
        whole = conversion_rate(steps)
        for channel, effect in removal_effects(steps).items():
            assert effect == pytest.approx(1 - conversion_rate(steps, channel) / whole, abs=1e-9)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        # a channel on every path, and one channel only
        ([(["A"], True, 3)], {"A": 1.0}),
        ([(["A"], True, 3), (["A"], False, 7)], {"A": 1.0}),
        # loops
        ([(["A", "A", "A"], True, 1), (["A"], False, 5)], {"A": 1.0}),
        ([(["A", "B", "A", "B"], True, 2), (["B", "A"], False, 2)], {"A": 2 / 3, "B": 1.0}),
        # nothing converts
        ([(["A"], False, 3), (["B"], False, 1)], {"A": 0.0, "B": 0.0}),
        # a channel that never converts
        ([(["A"], True, 3), (["B"], False, 9)], {"A": 1.0, "B": 0.0}),
        ([], {}),
    ],
)
def test_edges_give_finite_effects_from_0_to_1(paths, expected):
    assert removal_effects(steps_of(paths)) == pytest.approx(expected)
