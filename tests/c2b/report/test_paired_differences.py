"""Paired differences: exact where all is known, intervals that hold the truth as often as they say, wider where clips share a scene."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import skew, t, ttest_rel

from c2b.report.paired_differences import paired_difference
from sensors.refusal import Refusal

SCENES = {
    "seven clips of five scenes": [0, 0, 0, 1, 2, 3, 4],
    "twenty clips": range(20),
    "twelve scenes in pairs": [*range(12)] * 2,
}


def test_mean_and_spread_are_those_of_the_differences():
    first, second = np.array([31.0, 28.0, 33.5, 30.0]), np.array([30.0, 28.5, 31.0, 29.0])
    found = paired_difference(first, second)
    assert found.mean == pytest.approx((first - second).mean()) and found.spread == pytest.approx((first - second).std(ddof=1))
    assert (found.pairs, found.groups, found.level) == (4, 4, 0.95) and found.low < found.mean < found.high


@pytest.mark.parametrize("groups", [None, "aaabcde", "abababa", "aaaaaab"])
def test_a_constant_difference_is_known_exactly(groups):
    second = np.random.default_rng(0).normal(30, 3, 7)
    found = paired_difference(second + 0.3, second, groups)
    assert found.low == pytest.approx(0.3) and found.high == pytest.approx(0.3) and found.certain and found.spread < 1e-12
    assert not paired_difference(second, second, groups).certain


def test_order_of_pairs_and_sign_do_not_matter():
    rng = np.random.default_rng(1)
    first, second, groups = rng.normal(30, 3, 7), rng.normal(29, 3, 7), [*"aabcdee"]
    found, order = paired_difference(first, second, groups), rng.permutation(7)
    again = paired_difference(first[order], second[order], [groups[k] for k in order])
    turned = paired_difference(second, first, groups)
    assert (again.low, again.high) == pytest.approx((found.low, found.high))  # five groups: every draw is taken once
    assert (turned.high, turned.low) == pytest.approx((-found.low, -found.high), abs=0.02)


def test_the_interval_of_five_groups_is_that_of_all_draws():
    """By a plain loop over all 3125 of them."""
    d, groups = np.array([0.2, 0.4, 0.3, 2.1, -0.2, 0.6, 0.5]), np.array([0, 0, 0, 1, 2, 3, 4])
    members = [d[groups == g] for g in range(5)]
    means = [np.concatenate([members[g] for g in draw]).mean() for draw in np.ndindex(*[5] * 5)]
    quantile, error = t.ppf(0.975, 4), np.sqrt(5 / 4) * np.std(means)
    away = [sum(group - d.mean()) for group in members]
    longer = error * skew(away) * np.sqrt(4) / 3 * (1 + 2 * quantile**2) / 3  # the tail is long above
    found, turned = paired_difference(d, np.zeros(7), [*groups]), paired_difference(-d, np.zeros(7), [*groups])
    assert longer > 0.1 * error
    assert (found.low, found.high) == pytest.approx((d.mean() - quantile * error, d.mean() + quantile * error + longer))
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_two_groups_have_the_t_interval():
    """Which has no skewness: that of two is not known."""
    half = t.ppf(0.975, 1) * np.std([0.2, 0.9], ddof=1) / np.sqrt(2)
    found = paired_difference([0.2, 0.9], [0, 0])
    assert (found.low, found.high) == pytest.approx((0.55 - half, 0.55 + half))


def test_of_independent_pairs_it_is_the_t_test():
    first, second = np.random.default_rng(2).normal([[30.5], [30.0]], 1, (2, 60))
    found, by_t = paired_difference(first, second), ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((by_t.low, by_t.high), abs=0.02)


@pytest.mark.parametrize("name", SCENES)
def test_intervals_hold_the_true_difference_as_often_as_they_say(name):
    """Clips of one scene share most of their difference. Of 300 repeats the standard error is 1.3 %."""
    groups, rng, held, shifted = np.array(SCENES[name]), np.random.default_rng(3), 0, 0
    for _ in range(300):
        difference = 0.4 * rng.normal(size=groups.max() + 1)[groups] + 0.15 * rng.normal(size=groups.size)
        second = rng.normal(30, 4, groups.size)
        found = paired_difference(second + difference, second, groups.tolist(), draws=4000)
        held += found.low <= 0 <= found.high
        shifted += paired_difference(second + difference + 2, second, groups.tolist(), draws=4000).certain
    assert 0.905 <= held / 300 <= 0.985
    assert shifted > 270  # a difference of five times the spread is found


def test_clips_of_one_scene_make_the_interval_wider():
    """Copies of a clip tell nothing new: the interval of scenes stays, that which takes them for independent shrinks."""
    d = np.array([0.2, 0.9, -0.3, 0.5, 1.0, 0.1])
    once = paired_difference(d, np.zeros(6))
    groups = np.repeat(np.arange(6), 4)
    scenes = paired_difference(np.repeat(d, 4), np.zeros(24), groups.tolist())
    alone = paired_difference(np.repeat(d, 4), np.zeros(24))
    assert (scenes.low, scenes.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.6 * (scenes.high - scenes.low)


def test_one_group_gives_no_interval():
    for values, groups in (([31.0], "a"), ([31.0, 30.0, 32.0], "aaa")):
        one = paired_difference(values, [30.0] * len(values), groups)
        assert math.isinf(one.low) and math.isinf(one.high) and not one.certain and "no interval" in str(one)
    assert math.isnan(paired_difference([31.0], [30.0]).spread)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (([1, 2], [1]), "two lists of one length"),
        (([], []), "two lists of one length"),
        (([1, 2], [1, 2], ["a"]), r"groups \(1,\)"),
        (([math.inf, 2], [1, 2]), "not finite"),
        (([math.inf, 2], [math.inf, 2]), "not finite"),
    ],
)
def test_what_cannot_be_paired_is_refused(words, reason):
    with pytest.raises(Refusal, match=reason), np.errstate(invalid="ignore"):
        paired_difference(*words)


def test_a_level_that_is_none_is_refused():
    with pytest.raises(Refusal, match="between 0 and 1"):
        paired_difference([1, 2], [1, 1], level=95)
