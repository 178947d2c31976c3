"""Uplift and off-policy value on simulated offers whose true effect is known, and against plain loops."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.evaluation.off_policy import off_policy_value
from nextbest.evaluation.uplift import evaluate_uplift, qini_curve


@dataclass
class Offers:
    """Clients with a known effect of the offer on P(add), and one random draw of who got it."""

    effect: np.ndarray
    base: np.ndarray
    treated: np.ndarray
    outcome: np.ndarray
    propensity: np.ndarray


def simulated(seed: int, n: int, *, uneven: bool = False) -> Offers:
    """Effects from -5 to +15 points; a quarter without the offer, or as many as `uneven` says by client."""
    rng = np.random.default_rng(seed)
    effect = rng.choice([-0.05, 0.0, 0.15], n, p=[0.1, 0.5, 0.4])
    base = rng.uniform(0.05, 0.3, n)
    # who is likely to add anyway is offered more often: a plain difference of means is wrong then
    propensity = np.where(base > 0.17, 0.9, 0.4) if uneven else np.full(n, 0.75)
    treated = rng.random(n) < propensity
    outcome = (rng.random(n) < base + effect * treated).astype(float)
    return Offers(effect, base, treated, outcome, propensity)


@pytest.fixture(scope="module")
def offers() -> Offers:
    return simulated(0, 20_000)


def plain_qini(score: np.ndarray, treated: np.ndarray, outcome: np.ndarray) -> list[tuple[float, float]]:
    """The curve by its definition, for each different score from the top down."""
    points = [(0.0, 0.0)]
    for least in sorted(set(score.tolist()), reverse=True):
        top = score >= least
        y_t, y_c = outcome[top & treated].sum(), outcome[top & ~treated].sum()
        n_t, n_c = (top & treated).sum(), (top & ~treated).sum()
        points.append((top.mean(), (y_t - (y_c * n_t / n_c if n_c else 0)) / treated.sum()))
    return points


class TestCurve:
    @given(seed=st.integers(0, 10_000), n=st.integers(2, 30), levels=st.integers(1, 6))
    def test_equals_its_definition_with_ties(self, seed: int, n: int, levels: int) -> None:
        rng = np.random.default_rng(seed)
        score, treated = rng.integers(0, levels, n), rng.random(n) < 0.5
        treated[:2] = [True, False]
        outcome = rng.integers(0, 3, n).astype(float)
        found = qini_curve(score, treated=treated, outcome=outcome)
        wanted = plain_qini(score, treated, outcome)
        assert found["share"].to_list() == pytest.approx([s for s, _ in wanted])
        assert found["gain"].to_list() == pytest.approx([g for _, g in wanted])
        assert found["random"][-1] == pytest.approx(found["gain"][-1])

    @given(seed=st.integers(0, 1000))
    def test_the_order_of_rows_changes_nothing(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        o, score = simulated(seed, 60), rng.integers(0, 5, 60)
        mixed = rng.permutation(60)
        a = qini_curve(score, treated=o.treated, outcome=o.outcome)
        b = qini_curve(score[mixed], treated=o.treated[mixed], outcome=o.outcome[mixed])
        assert a["gain"].to_numpy() == pytest.approx(b["gain"].to_numpy())

    def test_one_propensity_for_all_is_the_same_as_none(self, offers: Offers) -> None:
        plain = qini_curve(offers.base, treated=offers.treated, outcome=offers.outcome)
        given_one = qini_curve(
            offers.base, treated=offers.treated, outcome=offers.outcome, propensity=offers.propensity
        )
        assert given_one["gain"].to_numpy() == pytest.approx(plain["gain"].to_numpy())


class TestScores:
    def test_the_true_effect_as_score_finds_what_theory_says(self, offers: Offers) -> None:
        found = evaluate_uplift(
            offers.effect, treated=offers.treated, outcome=offers.outcome, n_resamples=200, rng=0
        )
        # gain rises by .15 a client to share .4, stays to .9, falls by .05: whole effect .055
        area = 0.4 * 0.06 / 2 + 0.5 * 0.06 + 0.1 * (0.06 + 0.055) / 2
        truth = {
            "average_effect": 0.055,
            "qini": area - 0.055 / 2,
            "auuc": 0.15 * 0.3**2 / 2,
            "auuc_random": 0.055 * 0.3**2 / 2,
            "uplift_top": 0.15,
        }
        for name, value in truth.items():
            interval = getattr(found, name)
            assert interval.ci_low <= value <= interval.ci_high, name
            assert interval.ci_low < interval.value < interval.ci_high, name
        assert found.qini.ci_low > 0
        assert found.auuc.ci_low > found.auuc_random.ci_high

    def test_a_propensity_model_isn_t_an_uplift_model(self, offers: Offers) -> None:
        found = evaluate_uplift(
            offers.base, treated=offers.treated, outcome=offers.outcome, n_resamples=200, rng=0
        )
        assert found.qini.ci_low < 0 < found.qini.ci_high

    def test_uneven_propensities_are_weighed_out(self) -> None:
        o = simulated(1, 40_000, uneven=True)
        naive = evaluate_uplift(o.effect, treated=o.treated, outcome=o.outcome, n_resamples=50, rng=0)
        weighed = evaluate_uplift(
            o.effect, treated=o.treated, outcome=o.outcome, propensity=o.propensity, n_resamples=50, rng=0
        )
        assert weighed.average_effect.value == pytest.approx(0.055, abs=0.01)
        assert naive.average_effect.value > 0.09  # those offered more often add more anyway

    def test_about_95_of_100_intervals_hold_the_truth(self) -> None:
        held = 0
        for seed in range(100):
            o = simulated(seed, 400)
            found = evaluate_uplift(o.effect, treated=o.treated, outcome=o.outcome, n_resamples=100, rng=seed)
            held += found.average_effect.ci_low <= 0.055 <= found.average_effect.ci_high
        assert 88 <= held <= 99

    def test_rows_of_one_client_come_together(self, offers: Offers) -> None:
        part = slice(0, 500)
        four = {name: np.tile(getattr(offers, name)[part], 4) for name in ("effect", "treated", "outcome")}
        clients = np.tile(np.arange(500), 4)
        options = {"n_resamples": 200, "rng": 0}
        apart = evaluate_uplift(four["effect"], treated=four["treated"], outcome=four["outcome"], **options)
        together = evaluate_uplift(
            four["effect"], treated=four["treated"], outcome=four["outcome"], clients=clients, **options
        )
        width = [x.qini.ci_high - x.qini.ci_low for x in (together, apart)]
        assert width[0] / width[1] == pytest.approx(2, rel=0.3)
        assert together.qini.value == pytest.approx(apart.qini.value)
        assert together.qini.n_clusters == 500

    def test_the_top_share_counts_the_step_at_its_border_in_part(self) -> None:
        # the best score holds 40 % of the rows, so the top 30 % are of it alone
        score = np.r_[np.ones(40), np.zeros(60)]
        treated = np.arange(100) % 2 == 0
        outcome = ((score == 1) & treated).astype(float)
        found = evaluate_uplift(score, treated=treated, outcome=outcome, n_resamples=2, rng=0)
        assert found.uplift_top.value == pytest.approx(1.0)
        whole = evaluate_uplift(score, treated=treated, outcome=outcome, top=1.0, n_resamples=2, rng=0)
        assert whole.uplift_top.value == pytest.approx(0.4)
        assert whole.auuc.value - whole.auuc_random.value == pytest.approx(whole.qini.value)

    def test_draws_without_a_control_are_left_out(self) -> None:
        found = evaluate_uplift([3, 2, 1], treated=[1, 1, 0], outcome=[1, 0, 0], n_resamples=60, rng=0)
        assert np.isfinite([found.average_effect.ci_low, found.average_effect.ci_high]).all()
        assert np.isnan(found.uplift_top.value)  # the best third holds no control


class TestBadOffers:
    def test_without_a_control_group_nothing_can_be_known(self) -> None:
        with pytest.raises(DataError, match=r"treated: has no control row.*drawn at random"):
            qini_curve([1, 2], treated=[1, 1], outcome=[0, 1])
        with pytest.raises(DataError, match="no treated row"):
            qini_curve([1, 2], treated=[0, 0], outcome=[0, 1])

    @pytest.mark.parametrize("bad", [0.0, 1.0, np.nan, -0.1, 1.2])
    def test_a_propensity_must_leave_both_chances(self, bad: float) -> None:
        with pytest.raises(
            DataError, match=r"propensity: must lie between 0 and 1.*1 row\(s\).*first: \[1\]"
        ):
            qini_curve([1, 2], treated=[1, 0], outcome=[0, 1], propensity=[0.5, bad])

    def test_other_bad_input_is_named(self) -> None:
        good = {"treated": [1, 0], "outcome": [0, 1]}
        with pytest.raises(DataError, match="score: must be finite"):
            qini_curve([np.nan, 1], **good)
        with pytest.raises(DataError, match="treated: must be 0 or 1"):
            qini_curve([1, 2], treated=[2, 0], outcome=[0, 1])
        with pytest.raises(InputError, match="outcome: must have the shape"):
            qini_curve([1, 2], treated=[1, 0], outcome=[0])
        with pytest.raises(InputError, match="propensity: must have the shape"):
            qini_curve([1, 2], **good, propensity=[0.5])
        with pytest.raises(InputError, match="one axis"):
            qini_curve([[1]], treated=[[1]], outcome=[[1]])
        with pytest.raises(InputError, match="top"):
            evaluate_uplift([1, 2], **good, top=0, rng=0)
        with pytest.raises(InputError, match="n_resamples"):
            evaluate_uplift([1, 2], **good, n_resamples=0, rng=0)
        with pytest.raises(InputError, match="clients: must be 2 integers"):
            evaluate_uplift([1, 2], **good, clients=["a", "b"], rng=0)


@dataclass
class Log:
    """Decisions among three actions with known rewards: what was drawn, and what another policy would draw."""

    reward: np.ndarray
    propensity: np.ndarray
    target: np.ndarray
    value_logged: np.ndarray
    value_target: np.ndarray
    truth: float


def logged(seed: int, n: int = 4000) -> Log:
    """Action `kind` is right for two clients in three of that kind; the log draws mostly action 0."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    expected_NA = np.where(np.arange(3) == kind[:, None], 0.6, 0.1)
    logging = np.array([0.6, 0.3, 0.1])
    action = rng.choice(3, n, p=logging)
    rows = np.arange(n)
    target_NA = np.where(np.arange(3) == kind[:, None], 0.8, 0.1)
    return Log(
        (rng.random(n) < expected_NA[rows, action]).astype(float),
        logging[action],
        target_NA[rows, action],
        expected_NA[rows, action],
        (target_NA * expected_NA).sum(axis=1),
        0.8 * 0.6 + 0.2 * 0.1,
    )


class TestOffPolicy:
    def test_all_three_find_the_value_of_the_other_policy(self) -> None:
        log = logged(0)
        found = off_policy_value(
            log.reward,
            propensity=log.propensity,
            target=log.target,
            value_logged=log.value_logged,
            value_target=log.value_target,
            rng=0,
        )
        for name in ("ips", "snips", "doubly_robust"):
            interval = getattr(found, name)
            assert interval.ci_low <= log.truth <= interval.ci_high, name
        assert found.logged.value == pytest.approx(log.reward.mean())
        assert found.logged.ci_high < log.truth
        assert found.mean_weight == pytest.approx(1, abs=0.05)
        width = {n: getattr(found, n).ci_high - getattr(found, n).ci_low for n in ("ips", "doubly_robust")}
        assert width["doubly_robust"] < 0.9 * width["ips"]

    def test_unbiased_over_many_logs(self) -> None:
        values = []
        for seed in range(60):
            log = logged(seed, 500)
            found = off_policy_value(
                log.reward,
                propensity=log.propensity,
                target=log.target,
                value_logged=np.zeros(500),  # a model that knows nothing
                value_target=np.full(500, 0.3),
                n_resamples=2,
                rng=0,
            )
            values.append((found.ips.value, found.snips.value, found.doubly_robust.value))  # type: ignore[union-attr]
        means = np.mean(values, axis=0)
        assert means[:2] == pytest.approx([0.5, 0.5], abs=0.03)
        # wrong values cancel where they are wrong alike: 0.3 + mean(w (r - 0)) needs the same model twice
        assert means[2] == pytest.approx(0.8, abs=0.03)

    def test_doubly_robust_is_right_with_a_wrong_model_that_is_the_same_twice(self) -> None:
        log = logged(2, 20_000)
        found = off_policy_value(
            log.reward,
            propensity=log.propensity,
            target=log.target,
            value_logged=np.full(20_000, 0.3),
            value_target=np.full(20_000, 0.3),
            rng=0,
            n_resamples=50,
        )
        assert found.doubly_robust is not None
        assert found.doubly_robust.value == pytest.approx(log.truth, abs=0.02)

    def test_doubly_robust_is_right_with_wrong_propensities_and_a_right_model(self) -> None:
        log = logged(3, 20_000)
        found = off_policy_value(
            log.reward,
            propensity=log.propensity / 2,
            target=log.target,
            value_logged=log.value_logged,
            value_target=log.value_target,
            rng=0,
            n_resamples=50,
        )
        assert found.doubly_robust is not None
        assert found.doubly_robust.value == pytest.approx(log.truth, abs=0.02)
        assert abs(found.ips.value - log.truth) > 0.1

    def test_the_logged_policy_itself_has_weights_of_one(self) -> None:
        log = logged(1, 300)
        found = off_policy_value(log.reward, propensity=log.propensity, target=log.propensity, rng=0)
        assert found.ips.value == found.snips.value == pytest.approx(log.reward.mean())
        assert found.effective_sample_size == pytest.approx(300)
        assert found.largest_weight_share == pytest.approx(1 / 300)
        assert found.doubly_robust is None

    def test_by_hand_with_a_cut(self) -> None:
        found = off_policy_value(
            [1.0, 0.0, 1.0], propensity=[0.1, 0.5, 0.5], target=[1.0, 0.5, 0.25], max_weight=2, rng=0
        )
        assert found.ips.value == pytest.approx((2 + 0 + 0.5) / 3)
        assert found.snips.value == pytest.approx(2.5 / 3.5)
        assert found.effective_sample_size == pytest.approx(3.5**2 / (4 + 1 + 0.25))
        assert found.n_cut == 1

    def test_decisions_of_one_client_come_together(self) -> None:
        log = logged(4, 300)
        four = {n: np.repeat(getattr(log, n), 4) for n in ("reward", "propensity", "target")}
        width = []
        for clients in (np.repeat(np.arange(300), 4), None):
            found = off_policy_value(**four, clients=clients, rng=0)
            width.append([i.ci_high - i.ci_low for i in (found.logged, found.ips, found.snips)])
        assert np.divide(width[0], width[1]) == pytest.approx(np.full(3, 2.0), rel=0.15)


class TestBadLog:
    @pytest.mark.parametrize("bad", [0.0, np.nan, 1.5, -0.2])
    def test_a_propensity_must_be_a_chance(self, bad: float) -> None:
        with pytest.raises(
            DataError, match=r"propensity: must be above 0.*1 row\(s\) break it, first: \[1\]"
        ):
            off_policy_value([1.0, 0.0], propensity=[0.5, bad], target=[0.5, 0.5], rng=0)

    def test_a_policy_the_log_never_followed_can_t_be_valued(self) -> None:
        with pytest.raises(DataError, match=r"says nothing of this policy.*exploration"):
            off_policy_value([1.0], propensity=[0.5], target=[0.0], rng=0)

    def test_other_bad_input_is_named(self) -> None:
        with pytest.raises(DataError, match="target: must lie in 0-1"):
            off_policy_value([1.0], propensity=[0.5], target=[1.5], rng=0)
        with pytest.raises(DataError, match="reward: must be finite"):
            off_policy_value([np.inf], propensity=[0.5], target=[0.5], rng=0)
        with pytest.raises(DataError, match="value_target: must be finite"):
            off_policy_value(
                [1.0], propensity=[0.5], target=[0.5], value_logged=[1], value_target=[np.nan], rng=0
            )
        with pytest.raises(InputError, match="come with value_target"):
            off_policy_value([1.0], propensity=[0.5], target=[0.5], value_logged=[1], rng=0)
        with pytest.raises(InputError, match="target: must be 1 numbers"):
            off_policy_value([1.0], propensity=[0.5], target=[0.5, 0.5], rng=0)
        with pytest.raises(InputError, match="max_weight"):
            off_policy_value([1.0], propensity=[0.5], target=[0.5], max_weight=0, rng=0)
        with pytest.raises(InputError, match="reward: must have one axis"):
            off_policy_value([], propensity=[], target=[], rng=0)
        with pytest.raises(InputError, match="clients"):
            off_policy_value([1.0], propensity=[0.5], target=[0.5], clients=[0.5], rng=0)
