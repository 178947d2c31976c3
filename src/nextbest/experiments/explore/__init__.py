"""What is in a panel or a journal and what it means for a model: facts, one page in English or Russian."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from nextbest.data.panel.manifest import find_panel
from nextbest.data.panel.panel import Panel
from nextbest.data.sources.opening import Readable
from nextbest.data.store import Workspace
from nextbest.errors import ArtifactError, InputError
from nextbest.experiments.explore.journal_facts import journal_facts
from nextbest.experiments.explore.journal_page import journal_document, journal_page
from nextbest.experiments.explore.page import Lang, Page
from nextbest.experiments.explore.panel_facts import panel_facts
from nextbest.experiments.explore.panel_page import panel_document, panel_page


@dataclass(frozen=True)
class Exploration:
    """A page to read and the same facts as data."""

    page: Page
    document: dict[str, Any]

    def to_html(self) -> str:
        """One self-contained page; needs matplotlib (`nextbest[explore]`)."""
        return self.page.to_html()

    def to_summary(self) -> str:
        """The five most important facts, a line each."""
        return self.page.to_summary()

    def to_text(self) -> str:
        """The figures to know and what they mean, as Markdown; needs no matplotlib."""
        return self.page.to_text()


def explore(store: str | Path, *, lang: Lang = "en") -> Exploration:
    """Look at what a workspace holds: its panel if it has one, else its journal.

    Parameters
    ----------
    store
        A workspace, or a panel's own folder.
    lang
        Language of the page: `en` or `ru`. The document's keys are English.

    Raises
    ------
    InputError
        The language isn't known.
    ArtifactError
        Nothing was ever ingested there.
    """
    _check_lang(lang)
    folder = Path(store)
    if find_panel(folder) is not None:
        return explore_panel(Panel.open(folder), lang=lang)
    workspace = Workspace(folder)
    if workspace.manifest.generation == 0:
        raise ArtifactError(
            folder, "holds neither a panel nor a journal", remedy="ingest one with `nextbest ingest`"
        )
    facts = journal_facts(workspace)
    return Exploration(journal_page(facts, lang=lang), journal_document(facts))


def explore_panel(panel: Panel, *, lang: Lang = "en") -> Exploration:
    """Look at an opened panel; as `explore`."""
    _check_lang(lang)
    facts = panel_facts(panel)
    return Exploration(panel_page(facts, lang=lang), panel_document(facts))


def explore_files(
    files: Readable | list[Readable], *, source: str = "santander", lang: Lang = "en", progress: bool = False
) -> Exploration:
    """Look at raw panel files without keeping them: they are read into a temporary folder.

    Raises
    ------
    InputError, DataError, ExternalError
        As `nextbest.data.panel.reading.ingest_panel`.
    """
    from nextbest.data.panel.reading import ingest_panel

    _check_lang(lang)
    with TemporaryDirectory(prefix="nextbest-") as folder:
        ingest_panel(files, folder, source=source, progress=progress)
        return explore_panel(Panel.open(folder), lang=lang)


def _check_lang(lang: str) -> None:
    if lang not in get_args(Lang):
        raise InputError("lang", f"must be one of {list(get_args(Lang))}", value=lang)
