"""Markdown, HTML, PDF and plain text as sections of plain text, each under its heading.

What a reader of the page wouldn't see (comments, scripts, hidden elements) isn't read either: that is where
instructions to models are planted. Touches files. A file that can't be read is told and passed over.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from nextbest.errors import InputError

MAX_BYTES = 32 << 20
"""Larger files are passed over."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of one document under one heading."""

    source: str
    """Name of the file, below the folder that was read."""
    heading: str
    """The headings it stands under, outermost first, " > " between; of a PDF the page."""
    text: str
    """Paragraphs with an empty line between them."""


@dataclass(frozen=True, slots=True)
class Library:
    """What a folder holds."""

    sections: tuple[Section, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    """Name and reason of each file that wasn't read."""


class _UnreadableError(Exception):
    """Why a file is passed over."""


def read_folder(folder: str | Path) -> Library:
    """All documents below a folder, in the order of their names.

    Raises
    ------
    InputError
        There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("documents", "must be a folder", value=str(folder))
    sections: list[Section] = []
    skipped: list[tuple[str, str]] = []
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith(".")):
        name = path.relative_to(root).as_posix()
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            skipped.append((name, f"is none of {', '.join(sorted(_READERS))}"))
            continue
        try:
            if path.stat().st_size > MAX_BYTES:
                raise _UnreadableError(f"is larger than {MAX_BYTES >> 20} MiB")
            found = [Section(name, heading, text) for heading, text in reader(path) if text.strip()]
            if not found:
                raise _UnreadableError("holds no text; a scanned page needs text recognition first")
            sections += found
        except (_UnreadableError, OSError) as error:
            skipped.append((name, str(error)))
    return Library(tuple(sections), tuple(skipped))


# --- plain text and Markdown --------------------------------------------------------------------------
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_INLINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\w)"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^>\n]*>"), ""),
)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise _UnreadableError("is neither UTF-8 nor Windows-1251 text")


def _plain(path: Path) -> Iterator[tuple[str, str]]:
    yield path.stem, _text(path)


def _markdown(path: Path) -> Iterator[tuple[str, str]]:
    text = re.sub(r"\A---\n.*?\n---\n", "", _text(path), flags=re.DOTALL)  # front matter
    for pattern, replacement in _INLINE[:1]:
        text = pattern.sub(replacement, text)
    open_headings: list[tuple[int, str]] = []
    lines: list[str] = []
    fence: str | None = None

    def section() -> tuple[str, str]:
        return " > ".join(title for _, title in open_headings) or path.stem, _cleaned("\n".join(lines))

    for line in text.split("\n"):
        marker = _FENCE.match(line)
        if fence is not None or marker is not None:
            if fence is None and marker is not None:
                fence = marker[1][:3]
            elif marker is not None and fence is not None and marker[1].startswith(fence):
                fence = None
            else:
                lines.append(line)
            continue
        heading = _HEADING.match(line)
        underline = (
            _UNDERLINE.match(line)
            if lines and lines[-1].strip() and not lines[-1].startswith(("|", "-", "*", ">"))
            else None
        )
        if heading is None and underline is None:
            lines.append(line)
            continue
        level = (
            len(heading[1])
            if heading is not None
            else 1
            if underline is not None and "=" in underline[1]
            else 2
        )
        title = heading[2] if heading is not None else lines.pop()
        yield section()
        lines = []
        open_headings = [(n, name) for n, name in open_headings if n < level] + [
            (level, _cleaned(title).strip())
        ]
    yield section()


def _cleaned(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    rows = (_row(line) for line in text.split("\n"))
    return "\n".join(row for row in rows if row is not None)


def _row(line: str) -> str | None:
    """A table's row without its bars; None for the line under its head."""
    stripped = line.strip()
    if not stripped.startswith("|"):
        return re.sub(r"^\s{0,3}(?:>\s?|[-*+]\s+)", "", line)
    cells = [cell.strip() for cell in stripped.strip("|").split("|")]
    return None if all(re.fullmatch(r":?-+:?", cell) for cell in cells) else "; ".join(filter(None, cells))


# --- HTML -----------------------------------------------------------------------------------------------
_UNREAD = frozenset({"script", "style", "noscript", "template", "nav", "svg", "head", "iframe", "object"})
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "col", "wbr", "source", "area", "base", "embed", "track"}
)
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "li",
        "ul",
        "ol",
        "table",
        "tr",
        "section",
        "article",
        "br",
        "blockquote",
        "dd",
        "dt",
        "pre",
        "header",
        "footer",
        "main",
        "aside",
        "form",
    }
)
_INVISIBLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?:[;\s]|\Z)", re.IGNORECASE
)


class _Page(HTMLParser):
    """Collects visible text by headings."""

    def __init__(self, title: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._title, self._heading = title, 0
        self._heading_text: list[str] = []
        self._hidden: list[str] = []
        self.sections: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        unseen = (
            tag in _UNREAD
            or "hidden" in told
            or told.get("aria-hidden") == "true"
            or _INVISIBLE.search(told.get("style") or "") is not None
        )
        if tag not in _VOID and (self._hidden or unseen):
            self._hidden.append(tag)
        if self._hidden:
            return
        if re.fullmatch(r"h[1-6]", tag):
            self.flush()
            self._heading, self._heading_text = int(tag[1]), []
        elif tag in _BLOCKS:
            self._parts.append("\n\n" if tag in ("p", "section", "article", "table") else "\n")
        elif tag in ("td", "th"):
            self._parts.append("; " if self._parts and not self._parts[-1].endswith("\n") else "")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if self._heading and tag == f"h{self._heading}":
            title = " ".join("".join(self._heading_text).split())
            self._open = [(n, name) for n, name in self._open if n < self._heading] + [(self._heading, title)]
            self._heading = 0
        elif tag in ("p", "table"):
            self._parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        (self._heading_text if self._heading else self._parts).append(re.sub(r"\s+", " ", data))

    def flush(self) -> None:
        """End the section that is open."""
        text = "\n".join(line.strip() for line in "".join(self._parts).split("\n"))
        self.sections.append((" > ".join(name for _, name in self._open) or self._title, text))
        self._parts = []


def _html(path: Path) -> Iterator[tuple[str, str]]:
    page = _Page(path.stem)
    page.feed(_text(path))
    page.close()
    page.flush()
    yield from page.sections


# --- PDF ------------------------------------------------------------------------------------------------
def _pdf(path: Path) -> Iterator[tuple[str, str]]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise _UnreadableError('needs the extra: pip install "nextbest[assistant]"') from None
    try:
        with path.open("rb") as file:
            pages = [page.extract_text() for page in PdfReader(file).pages]
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        raise _UnreadableError(f"can't be read as PDF ({type(error).__name__})") from error
    for number, text in enumerate(pages, start=1):
        yield f"{path.stem}, p. {number}", re.sub(r"(?<=\w)-\n(?=\w)", "", text)


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
