"""The tool over the house's own documents: FAQ, tariffs, product texts; passages are quoted, never followed."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from nextbest.assistant.base import ItemFact, ToolResult
from nextbest.assistant.tools.tool import About, Arguments, K, Nothing, Tool

DEFAULT_K = 3


class Passage(Protocol):
    """A piece of a document."""

    @property
    def passage_id(self) -> str:
        """Stable, for citing."""

    @property
    def title(self) -> str:
        """Of the document, with the heading it stands under."""

    @property
    def text(self) -> str:
        """As it stands there."""

    @property
    def source(self) -> str:
        """Name of the file, without its folder."""

    @property
    def score(self) -> float:
        """How well it fits, higher is better."""


class DocumentIndex(Protocol):
    """Documents that can be searched, from several threads."""

    def search(self, query: str, *, k: int) -> Sequence[Passage]:
        """The passages that fit best, best first; none where nothing fits."""


class SearchDocuments(Arguments, frozen=True, extra="forbid"):
    """Arguments of `search_documents`."""

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    k: K = DEFAULT_K


class Documents:
    """An index behind its tool."""

    def __init__(self, index: DocumentIndex) -> None:
        self._index = index

    def search(self, asked: SearchDocuments, about: About) -> ToolResult:
        """Passages about a question, in the language they are written in."""
        del about
        found = self._index.search(asked.query, k=asked.k)
        if not found:
            raise Nothing("nothing_found")
        return ToolResult(
            "search_documents",
            "ok",
            "documents",
            items=tuple(
                ItemFact(
                    passage.passage_id,
                    {"en": passage.title, "ru": passage.title},
                    kind="passage",
                    rank=rank,
                    attributes={"text": passage.text, "source": passage.source},
                )
                for rank, passage in enumerate(found, start=1)
            ),
            source=", ".join(dict.fromkeys(passage.source for passage in found)),
            document={
                "kind": "passages",
                "passages": [
                    {
                        "passage_id": passage.passage_id,
                        "title": passage.title,
                        "text": passage.text,
                        "source": passage.source,
                        "score": passage.score,
                    }
                    for passage in found
                ],
            },
        )


TOOLS = (
    Tool(
        "search_documents",
        "documents",
        {
            "en": "passages of the house's documents (FAQ, tariffs, products) about a question",
            "ru": "места из документов (вопросы и ответы, тарифы, продукты) по вопросу",
        },
        SearchDocuments,
        Documents.search,
    ),
)
