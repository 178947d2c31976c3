"""An assistant over a workspace: its rooms, its documents, its words, and a model where one is named."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nextbest.assistant.agent.assistant import Assistant, Limits
from nextbest.assistant.base import Caller
from nextbest.data.ids import OutsideId

if TYPE_CHECKING:
    from nextbest.assistant.tools.documents import DocumentIndex
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.portfolio.plan.advice import AdviceConfig

DOCUMENTS, INTENTS = "documents", "intents"
"""Folders of a workspace: FAQ, tariffs and the like; a classifier of one's own (`nextbest assistant train-intents`)."""


def open_assistant(
    store: str | Path,
    *,
    model: str | Path | None = None,
    products: str | Path | None = None,
    documents: str | Path | None = None,
    provider: str | None = None,
    memory: str | Path | None = None,
    live_shop: "Callable[[], Pipeline] | None" = None,
    live_products: "Callable[[], ProductAdvisor] | None" = None,
    advice: "AdviceConfig | None" = None,
    limits: Limits | None = None,
    on_taken: Callable[[Caller, tuple[OutsideId, ...], datetime], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Assistant:
    """The assistant over what a workspace holds; rooms are read at the first question that needs them.

    Parameters
    ----------
    store
        The workspace.
    model, products, documents
        Folders elsewhere: a shop's model, a bank's product model, documents.
    provider
        A model that words answers, as `providers.settings.make_provider` reads it; None: that of `NEXTBEST_PROVIDER`, and
        where that isn't set, the phrasebook speaks.
    memory
        Folder or Redis URL of conversations; None: kept in this process.
    live_shop, live_products
        Models that somebody else holds in memory, in place of folders.
    advice
        The house's list for callers in mode "advice".
    limits, on_taken, now
        As of `Assistant`.

    Raises
    ------
    InputError
        A folder that was named isn't there, or a provider's name can't be read.
    ExternalError
        The store of conversations can't be opened.
    """
    from nextbest.assistant.agent.voice import Voice
    from nextbest.assistant.intent.linking import Linker
    from nextbest.assistant.intent.understander import Understander
    from nextbest.assistant.memory.stores import open_memory
    from nextbest.assistant.phrasing.phrasebook import Phrasebook
    from nextbest.assistant.providers.settings import make_provider, provider_from_env
    from nextbest.assistant.tools.toolbox import Toolbox

    workspace = Path(store)
    made = provider_from_env() if provider is None else make_provider(provider)
    voice = None if made is None else Voice(made)
    own_intents = workspace / INTENTS
    understander = Understander.load(own_intents if own_intents.is_dir() else None)
    toolbox = Toolbox.open(
        model=model,
        workspace=workspace,
        products=products,
        documents=_documents(workspace, documents),
        make_linker=Linker,
        live_shop=live_shop,
        live_products=live_products,
        advice=advice,
        now=now,
    )
    return Assistant(
        understander,
        toolbox,
        phrasebook=Phrasebook(toolbox.rooms),
        voice=voice,
        memory=open_memory(memory),
        limits=limits,
        on_taken=on_taken,
        now=now,
    )


def _documents(workspace: Path, named: str | Path | None) -> "DocumentIndex | None":
    from nextbest.assistant.retrieval.index import FolderIndex
    from nextbest.errors import InputError
    from nextbest.models.language.sentence.encoder import open_encoder

    folder = workspace / DOCUMENTS if named is None else Path(named)
    if folder.is_dir():
        return FolderIndex(folder, encoder=open_encoder())
    if named is not None:
        raise InputError("documents", "must be a folder", value=str(named))
    return None
