"""The error tree: grouped by what the caller does next.

::

    NextbestError
    |- InputError       fix the call         REST 422   exit code 2
    |  `- CombinedInputError                 several fields of one call at once
    |- DataError        fix the table        REST 500   exit code 3
    |- NotFittedError   fit or load first    REST 503   exit code 4
    |- ArtifactError    retrain or re-export REST 503   exit code 4
    `- ExternalError    an outside system    REST 502   exit code 5 (retry if `retryable`)

Knows nothing of tables, models or the web; the two borders that translate it are
`service/errors.py` and `cli`.
"""

from collections.abc import Sequence


class NextbestError(Exception):
    """Any error that this package raises on purpose."""


class InputError(NextbestError):
    """The call is wrong: an argument breaks its rule. Fix the call.

    >>> raise InputError("k", "must be 1 or more", value=0)
    Traceback (most recent call last):
    ...
    nextbest.errors.InputError: k: must be 1 or more; got 0
    """

    def __init__(self, name: str, rule: str, *, value: object = None, remedy: str | None = None) -> None:
        self.name, self.rule, self.value, self.remedy = name, rule, value, remedy
        text = f"{name}: {rule}"
        if value is not None:
            text += f"; got {value!r}"
        if remedy:
            text += f"; {remedy}"
        super().__init__(text)


class CombinedInputError(InputError):
    """Several fields of one call break their rules. Fix them all; the first is the error's own.

    >>> raise CombinedInputError([InputError("age", "must be a whole number", value="x"), InputError("k", "is required")])
    Traceback (most recent call last):
    ...
    nextbest.errors.CombinedInputError: age: must be a whole number; got 'x'; also wrong: k: is required
    """

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors: list[InputError] = []
        """Each wrong field, in the order found."""
        for error in errors:
            self.errors += error.errors if isinstance(error, CombinedInputError) else [error]
        first, *others = self.errors
        super().__init__(first.name, first.rule, value=first.value, remedy=first.remedy)
        if others:
            more = [str(error) for error in others[:4]] + [f"{len(others) - 4} more"] * (len(others) > 4)
            self.args = (f"{first}; also wrong: {'; '.join(more)}",)


def refuse(errors: Sequence[InputError]) -> None:
    """Raise what was found wrong: nothing, the one error there is, or all of them as `CombinedInputError`."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise CombinedInputError(errors)


class DataError(NextbestError):
    """A table or a file breaks its contract. Fix the data.

    >>> raise DataError("journal", "time must not be null", n_bad=12, examples=[3, 9])
    Traceback (most recent call last):
    ...
    nextbest.errors.DataError: journal: time must not be null; 12 row(s) break it, first: [3, 9]
    """

    def __init__(
        self,
        name: str,
        rule: str,
        *,
        n_bad: int | None = None,
        examples: Sequence[object] = (),
        remedy: str | None = None,
    ) -> None:
        self.name, self.rule, self.n_bad, self.remedy = name, rule, n_bad, remedy
        self.examples = list(examples)[:5]
        text = f"{name}: {rule}"
        if n_bad is not None:
            text += f"; {n_bad} row(s) break it"
            if self.examples:
                text += f", first: {self.examples}"
        elif self.examples:
            text += f"; found: {self.examples}"
        if remedy:
            text += f"; {remedy}"
        super().__init__(text)


class NotFittedError(NextbestError):
    """A model was asked before `fit` or `load`."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name}: not fitted; call fit() or load a saved folder first")


class ArtifactError(NextbestError):
    """A saved model folder is missing, incomplete or of another version. Train it again."""

    def __init__(self, path: object, rule: str, *, remedy: str = "train again with `nextbest train`") -> None:
        self.path, self.rule, self.remedy = str(path), rule, remedy
        super().__init__(f"{path}: {rule}; {remedy}")


class ExternalError(NextbestError):
    """An outside system (disk, database, network) failed. Retry when `retryable`."""

    def __init__(self, system: str, problem: str, *, retryable: bool, remedy: str | None = None) -> None:
        self.system, self.problem, self.retryable, self.remedy = system, problem, retryable, remedy
        super().__init__(f"{system}: {problem}" + (f"; {remedy}" if remedy else ""))
