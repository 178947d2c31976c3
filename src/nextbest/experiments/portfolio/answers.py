"""Which of our public functions answers a published worked example, from its inputs alone.

The expected value never comes here. Answers follow the example's own convention (periods a year, thresholds, day
counts, choice among roots), which its inputs or its publisher state.
"""

import re
from collections.abc import Callable, Mapping

from nextbest.errors import DataError, InputError
from nextbest.experiments.portfolio.case import Answered, Case
from nextbest.experiments.portfolio.flow_answers import (
    answer_average_investment,
    answer_dated_future_value,
    answer_future_value,
    answer_modified_dietz,
    answer_money_weighted,
    answer_n_payments,
    answer_payment,
    answer_rate_per_period,
    answer_time_weighted,
    answer_xirr,
)
from nextbest.experiments.portfolio.series_answers import (
    answer_bacon,
    answer_bacon_measured,
    answer_bacon_pair,
    answer_cagr,
    answer_calmar,
    answer_frontier,
    answer_goal,
    answer_max_drawdown,
    answer_measured,
    answer_skewness_over_kurtosis,
    answer_tail,
    answer_volatility,
)
from nextbest.portfolio.metrics import relative, risk


def answer(case: Case) -> Answered:
    """The answer of our functions to an example.

    Raises
    ------
    InputError
        No function for the topic.
    DataError
        Inputs that aren't as the layout has them, or a file that is missing.
    """
    topic = re.split(r"[ (]", case.topic, maxsplit=1)[0]
    if topic not in _TOPICS:
        raise InputError("topic", "no function answers it", value=case.topic)
    try:
        return _TOPICS[topic](case)
    except (LookupError, TypeError, ValueError, StopIteration, OSError) as error:
        raise DataError(case.name, f"its inputs can't be read ({type(error).__name__}: {error})") from error


_TOPICS: Mapping[str, Callable[[Case], Answered]] = {
    "MWR": answer_money_weighted,
    "IRR": answer_rate_per_period,
    "XIRR": answer_xirr,
    "TWR": answer_time_weighted,
    "ModifiedDietz": answer_modified_dietz,
    "XFV": answer_dated_future_value,
    "FV": answer_future_value,
    "PMT": answer_payment,
    "NPER": answer_n_payments,
    "sharpe": answer_measured("sharpe"),
    "sortino": answer_measured("sortino"),
    "downside_risk": answer_measured("downside_deviation_ann"),
    "annual_volatility": answer_measured("volatility_ann"),
    "cum_return": answer_measured("twr"),
    "max_drawdown": answer_max_drawdown,
    "cagr_252": answer_cagr,
    "calmar": answer_calmar,
    "VaR": answer_tail("var"),
    "CVaR": answer_tail("cvar"),
    "ROAI": answer_average_investment,
    "mean-variance": answer_frontier,
    "goal_probability": answer_goal,
    "bernardo-ledoit": answer_bacon(risk.omega, "risk.omega"),
    "beta-fama": answer_bacon_pair(relative.fama_beta, "relative.fama_beta"),
    "specific-risk": answer_bacon_pair(relative.specific_risk, "relative.specific_risk", periods_per_year=12),
    "downside-deviation": answer_bacon(risk.downside_deviation, "risk.downside_deviation"),
    "downside-potential": answer_bacon(risk.lower_partial_moment, "risk.lower_partial_moment"),
    "downside-frequency": answer_bacon(risk.downside_frequency, "risk.downside_frequency"),
    "upside-frequency": answer_bacon(risk.upside_frequency, "risk.upside_frequency"),
    "upside-risk": answer_bacon(risk.upside_risk, "risk.upside_risk"),
    "upside-potential": answer_bacon(risk.upper_partial_moment, "risk.upper_partial_moment"),
    "kappa-2": answer_bacon(risk.kappa, "risk.kappa(order=2)", order=2),
    "omega-sharpe": answer_bacon(risk.kappa, "risk.kappa(order=1)", order=1),
    "mean-absolute-deviation": answer_bacon(risk.mean_absolute_deviation, "risk.mean_absolute_deviation"),
    "volatility-skewness": answer_bacon(risk.volatility_skewness, "risk.volatility_skewness"),
    "variability-skewness": answer_bacon(risk.variability_skewness, "risk.variability_skewness"),
    "kurtosis-sample-excess": answer_bacon(risk.sample_excess_kurtosis, "risk.sample_excess_kurtosis"),
    "kurtosis-sample": answer_bacon(risk.sample_kurtosis, "risk.sample_kurtosis"),
    "skewness/kurtosis": answer_bacon(
        answer_skewness_over_kurtosis, "risk.population_skewness / population_kurtosis"
    ),
    "pain-index": answer_bacon_measured("pain_index"),
    "pain-ratio": answer_bacon_measured("pain_ratio"),
    "martin-ratio": answer_bacon_measured("martin"),
    "burke-ratio": answer_bacon_measured("burke"),
    "jensen-alpha": answer_bacon_measured("jensen_alpha"),
    "M2": answer_bacon_measured("m2"),
    "volatility": answer_volatility,
}
"""First word of the topic -> what answers it."""
