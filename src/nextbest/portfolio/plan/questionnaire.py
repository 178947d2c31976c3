"""The suitability questionnaire: a form as data, and from its answers to a risk profile.

The class is the lowest of four things: what the client can bear, what the client will bear, what the client
understands, and how long there is. What return is wished for counts nothing.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from nextbest.errors import DataError, InputError, refuse

Dimension = Literal["capacity", "tolerance", "knowledge", "horizon"]
DIMENSIONS: tuple[Dimension, ...] = ("capacity", "tolerance", "knowledge", "horizon")
Grade = Annotated[int, Field(ge=1, le=5)]
MIFID = "mifid"
"""The form that ships with the package."""


class Words(BaseModel, frozen=True, extra="forbid"):
    """One text in both languages of clients."""

    en: str
    ru: str


class Answer(Words, frozen=True):
    """One answer that may be chosen."""

    id: str
    points: Grade | None = None
    """For its question's dimension, 1-5."""
    cap: Mapping[Dimension, Grade] = {}
    """Highest value of a dimension after this answer."""
    liquidity: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the money that may be needed at once."""


class Question(Words, frozen=True):
    """One question with its answers."""

    id: str
    section: Literal["about", "knowledge", "situation", "tolerance", "objectives"]
    scores: Dimension | Literal["wish", ""]
    """Dimension of its points; `wish` (a wished-for return) and "" have none."""
    answers: Annotated[tuple[Answer, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _points_where_they_belong(self) -> "Question":
        with_points = sum(a.points is not None for a in self.answers)
        if self.scores in DIMENSIONS and with_points != len(self.answers):
            raise ValueError(f"{self.id}: every answer must have points")
        if self.scores not in DIMENSIONS and with_points:
            raise ValueError(f"{self.id}: answers that count nothing must have no points")
        if self.scores == "wish" and any(a.cap or a.liquidity for a in self.answers):
            raise ValueError(f"{self.id}: a wish must not change the class")
        return self


class Contradiction(Words, frozen=True):
    """Answers that don't go together."""

    id: str
    blocking: bool
    """Whether there is no advice until it is cleared up."""
    when: Annotated[Mapping[str, tuple[str, ...]], Field(min_length=2)]
    """Question to answers; all of them at once are the contradiction."""


class HorizonSteps(BaseModel, frozen=True, extra="forbid"):
    """Highest risk class by the years there are."""

    years: tuple[float, ...]
    """From; ascending, the first is 0."""
    risk_class: tuple[Grade, ...]

    @model_validator(mode="after")
    def _steps_rise(self) -> "HorizonSteps":
        rising = all(a < b for a, b in pairwise(self.years)) and all(
            a <= b for a, b in pairwise(self.risk_class)
        )
        if len(self.years) != len(self.risk_class) or not self.years or self.years[0] != 0 or not rising:
            raise ValueError("years must start at 0 and rise, a class that doesn't fall for each")
        return self

    def cap(self, years: float) -> int:
        """Highest class with `years` to go."""
        if not years >= 0:
            raise InputError("horizon_years", "must be 0 or more", value=years)
        return max(c for y, c in zip(self.years, self.risk_class, strict=True) if y <= years)


class Form(BaseModel, frozen=True, extra="forbid"):
    """A questionnaire, checked."""

    name: str
    horizon: HorizonSteps
    question: tuple[Question, ...]
    contradiction: tuple[Contradiction, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "Form":
        ids = [q.id for q in self.question]
        if len(set(ids)) != len(ids):
            raise ValueError("questions must have different ids")
        missing = set(DIMENSIONS) - {q.scores for q in self.question}
        if missing:
            raise ValueError(f"no question scores {sorted(missing)}")
        answers = {q.id: {a.id for a in q.answers} for q in self.question}
        for rule in self.contradiction:
            for question, chosen in rule.when.items():
                if question not in answers or set(chosen) - answers[question]:
                    raise ValueError(f"contradiction {rule.id}: no such question or answer, {question}")
        return self


@dataclass(frozen=True)
class RiskProfile:
    """How much risk suits a client. Grades are 1 (least) to 5."""

    capacity: int
    """What the client can bear."""
    tolerance: int
    """What the client is willing to bear."""
    knowledge: int
    """What the client understands."""
    horizon: int
    """What the time allows."""
    profiled_on: date
    """Day of the answers."""
    liquidity_need: float = 0.0
    """Share of the money that may be needed at once, 0-1."""
    contradictions: tuple[Contradiction, ...] = ()
    form: str = ""
    """The questionnaire's name; empty for a profile that came ready."""

    def __post_init__(self) -> None:
        wrong = [
            InputError(name, "must be a grade from 1 to 5", value=grade)
            for name in DIMENSIONS
            if not (isinstance(grade := getattr(self, name), int) and 1 <= grade <= 5)
        ]
        if not 0 <= self.liquidity_need <= 1:
            wrong.append(InputError("liquidity_need", "must lie in 0-1", value=self.liquidity_need))
        refuse(wrong)

    @property
    def risk_class(self) -> int:
        """The lowest of the four, 1-5."""
        return min(self.capacity, self.tolerance, self.knowledge, self.horizon)

    @property
    def limited_by(self) -> tuple[Dimension, ...]:
        """The dimensions that keep the class where it is."""
        return tuple(d for d in DIMENSIONS if getattr(self, d) == self.risk_class)

    def why_no_advice(self, on: date, *, max_age_days: int = 365) -> list[str]:
        """Codes of what stands against advice on that day; empty if nothing does.

        `profile_expired`: older than `max_age_days`; `profile_from_the_future`; `profile_contradicts`: a blocking
        contradiction; `no_questionnaire`: the profile came ready, without answers.
        """
        age = (on - self.profiled_on).days
        found = [] if self.form else ["no_questionnaire"]
        if age > max_age_days:
            found.append("profile_expired")
        if age < 0:
            found.append("profile_from_the_future")
        if any(c.blocking for c in self.contradictions):
            found.append("profile_contradicts")
        return found


def risk_class(answers: Mapping[str, str], *, form: Form | str = MIFID, on: date) -> RiskProfile:
    """The risk profile that follows from the answers.

    Parameters
    ----------
    answers
        Question id to answer id; every question of the form.
    form
        The form, or the name of one that ships with the package.
    on
        Day of the answers.

    Returns
    -------
    RiskProfile
        Each dimension is the mean of its points rounded down, then lowered to the caps of single answers.

    Raises
    ------
    InputError
        Answers are missing, unknown or to questions that the form hasn't; all of them at once.
    DataError
        The form's file is broken.
    """
    form = load_form(form) if isinstance(form, str) else form
    questions = {q.id: q for q in form.question}
    wrong = [
        InputError(f"answers.{q}", "no such question in the form", value=form.name)
        for q in answers
        if q not in questions
    ]
    chosen: dict[str, Answer] = {}
    for question in form.question:
        found = {a.id: a for a in question.answers}
        given = answers.get(question.id)
        if given is None:
            wrong.append(InputError(f"answers.{question.id}", "is required", remedy=f"one of {list(found)}"))
        elif given not in found:
            wrong.append(InputError(f"answers.{question.id}", f"must be one of {list(found)}", value=given))
        else:
            chosen[question.id] = found[given]
    refuse(wrong)
    grades: dict[str, int] = {}
    for dimension in DIMENSIONS:
        points = [chosen[q.id].points or 0 for q in form.question if q.scores == dimension]
        grades[dimension] = min(
            [sum(points) // len(points), *(a.cap.get(dimension, 5) for a in chosen.values())]
        )
    contradictions = tuple(
        rule for rule in form.contradiction if all(chosen[q].id in among for q, among in rule.when.items())
    )
    return RiskProfile(
        **grades,
        profiled_on=on,
        liquidity_need=max(a.liquidity for a in chosen.values()),
        contradictions=contradictions,
        form=form.name,
    )


def with_horizon(profile: RiskProfile, *, years: float, form: Form | str = MIFID) -> RiskProfile:
    """The profile for a goal so many years away: the time allows no more than the form's step says.

    Raises
    ------
    InputError
        `years` is below 0.
    """
    from dataclasses import replace

    form = load_form(form) if isinstance(form, str) else form
    return replace(profile, horizon=min(profile.horizon, form.horizon.cap(years)))


@cache
def load_form(name: str = MIFID) -> Form:
    """A form that ships with the package.

    Raises
    ------
    InputError
        There is none of that name.
    DataError
        The file breaks the form's rules.
    """
    found = files("nextbest.portfolio.plan") / "forms" / f"{name}.toml"
    if not name.isidentifier() or not found.is_file():
        raise InputError("form", "there is no such form in the package", value=name)
    return read_form(found.read_text(encoding="utf-8"), name=f"form {name}")


def read_form(text: str, *, name: str = "form") -> Form:
    """A form from TOML, a house's own.

    Raises
    ------
    DataError
        No TOML, or it breaks the form's rules; the first five are said.
    """
    try:
        return Form.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataError(name, f"is no TOML: {error}") from error
    except ValidationError as error:
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise DataError(name, "breaks the rules of a form", examples=said) from error


def load_answers(file: str | Path) -> dict[str, str]:
    """Answers from a JSON file: one object, question id to answer id.

    Raises
    ------
    InputError
        The file can't be read, or holds something else.
    """
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("answers", "must be a JSON file", value=str(file)) from error
    if not isinstance(found, dict) or not all(isinstance(answer, str) for answer in found.values()):
        raise InputError("answers", "must be one JSON object, question id to answer id", value=str(file))
    return found
