"""What one import into a book did: counts for programs, one line for people."""

from pydantic import BaseModel


class BookReport(BaseModel, frozen=True, extra="forbid"):
    """Counts of one `Book.add`; always `read == kept + dropped + quarantined rows`."""

    kind: str
    sources: tuple[str, ...]
    read: int
    """Rows (cells, of a table of days x assets) of the input."""
    kept: int
    """Rows of the input that the book holds now."""
    added: int
    """Those of them that it did not hold before."""
    replaced: int = 0
    """Those that took the place of another row of their key; only with `replace=True`."""
    dropped: int = 0
    """Rows that say again what another row of the same input says."""
    repaired: dict[str, int] = {}
    """Values put right, by what was done: `currency_spelling`, `made_trade_id`, `asset_currency`."""
    quarantined: dict[str, int] = {}
    """Rows refused, by reason code."""
    warnings: dict[str, int] = {}
    """What wants a look, by code: closes that jump as a split would (`price_jump`), currencies without rates
    (`currency_without_rates`), known sales that a new split or a replaced trade leaves uncovered (`sold_not_held`)."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line."""
        text = f"{self.kind}: {self.read} read, {self.kept} kept ({self.added} new)"
        for word, counts in (
            ("repaired", self.repaired),
            ("quarantined", self.quarantined),
            ("warnings", self.warnings),
        ):
            if counts:
                text += f"; {word}: " + ", ".join(f"{code} {n}" for code, n in sorted(counts.items()))
        return text
