"""Answers as the decisions that a log keeps: whom, what was shown of it, and when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.products.query import ProductAnswer


def decisions_of(answers: Sequence[ProductAnswer], *, decided_at: datetime) -> list[Decisions]:
    """What these answers offered: decisions made together stay together, each with the places that were shown.

    Parameters
    ----------
    answers
        Predictions among them are passed over; one that several askers share counts once.
    decided_at
        Moment of the answer, with a time zone.
    """
    shown: dict[int, dict[int, int]] = {}
    made: dict[int, Decisions] = {}
    for answer in answers:
        if answer.decided is not None:
            key = id(answer.decided.decisions)
            made[key] = answer.decided.decisions
            places = shown.setdefault(key, {})
            client = answer.decided.client
            places[client] = max(len(answer.products), places.get(client, 0))
    return [
        replace(
            decisions.shown(
                np.array(list(shown[key]), np.int64), n_places_N=np.array(list(shown[key].values()), np.int64)
            ),
            decided_at=decided_at,
        )
        for key, decisions in made.items()
    ]
