"""A workspace with a book of simulated investors, small enough to be made once a module."""

from datetime import UTC, datetime
from pathlib import Path

from nextbest.data.holdings.book import Book
from nextbest.portfolio.plan.questionnaire import load_form
from nextbest.simulate.portfolios import simulate_book

NOW = datetime(2021, 10, 29, 18, 0, tzinfo=UTC)
"""Evening of the last day with prices."""
CLIENT, BENCHMARK = "c000003", "SHARES"


def workspace(folder: Path) -> Path:
    """`folder` with `portfolio/book.duckdb` in it."""
    simulate_book(folder / "portfolio", scale=120, rng=7)
    return folder


def answers() -> dict[str, str]:
    """A questionnaire without contradictions: of each question the answer with the most points."""
    best = {
        q.id: max(q.answers, key=lambda a: (a.points or 0, -len(a.cap), -a.liquidity)).id
        for q in load_form().question
    }
    return best | {"purchase": "no", "wished_return": "0"}


def write_house_list(book_folder: Path, file: Path) -> Path:
    """A house's list as TOML: nine instruments of each class of the book."""
    with Book.open(book_folder) as book:
        classes = sorted(set(book.assets()["asset_class"]))
    rows = [
        f'[[instruments]]\nasset_id = "{c.upper()}-{i}"\ntitle = "{c} {i}"\nasset_class = "{c}"\nissuer = "{c} issuer {i}"\n'
        'currency = "RUB"\n'
        for c in classes
        for i in range(9)
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    return file
