"""The page around a report: header, footer, page numbers, and the label of a simulated market."""

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
)

from trading_pipeline.adapters.reports.fonts import BOLD, REGULAR, markup, plain, register_fonts
from trading_pipeline.adapters.reports.theme import (
    INK,
    MARGIN,
    MUTED,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    RULE,
    SIMULATED,
    style,
)

_BAND = 17.0
SIMULATED_LABEL = "SIMULATED MARKET"
_SIMULATED_NOTE = "prices are generated; nothing here is evidence about a real market"


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What stands on every page."""

    title: str
    header_left: str
    header_right: str
    footer: str
    is_simulated: bool


def section(title: str, lead: str = "", *, room: float = 190.0) -> list[Any]:
    """Return a heading that also stands in the PDF's outline, and a sentence below it.

    A new page begins where less than ``room`` points are left.
    """
    heading = Paragraph(markup(title), style("section"))
    heading.outline_title = plain(title)
    parts: list[Any] = [CondPageBreak(room), heading]
    if lead:
        parts.append(Paragraph(markup(lead, 1200), style("lead")))
    return parts


def render(story: Callable[[], Sequence[Any]], frame: PageFrame) -> bytes:
    """Return the PDF of a story; equal input gives equal bytes.

    ``story`` is called twice, because flowables cannot be used again: the first pass only counts
    the pages, so that each can say how many there are.
    """
    register_fonts()
    total = _build(list(story()), frame, BytesIO(), total=0)
    buffer = BytesIO()
    _build(list(story()), frame, buffer, total=total)
    return buffer.getvalue()


def _build(story: list[Any], frame: PageFrame, buffer: BytesIO, *, total: int) -> int:
    # `invariant` takes the wall clock and the random document id out of the file.
    document = BaseDocTemplate(
        buffer,
        pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=58,
        bottomMargin=46,
        invariant=1,
        pageCompression=1,
        # The default opens every page with a Helvetica that is used nowhere and not embedded.
        initialFontName=REGULAR,
        title=plain(frame.title),
        author="trading-pipeline",
        subject=SIMULATED_LABEL if frame.is_simulated else plain(frame.header_right),
        lang="en",
    )

    def decorate(canvas: Canvas, layout: BaseDocTemplate) -> None:
        _decorate(canvas, frame, layout.page, total)

    def outline(flowable: Flowable) -> None:
        title = getattr(flowable, "outline_title", None)
        if title is not None:
            key = f"{document.page}-{title}"
            document.canv.bookmarkPage(key)
            document.canv.addOutlineEntry(title, key, 0)

    body = Frame(
        MARGIN,
        document.bottomMargin,
        document.width,
        document.height,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )
    document.addPageTemplates([PageTemplate(id="page", frames=[body], onPage=decorate)])
    document.afterFlowable = outline
    document.build(story)
    return int(document.page)


def _decorate(canvas: Canvas, frame: PageFrame, page: int, total: int) -> None:
    canvas.saveState()
    if frame.is_simulated:
        bottom = PAGE_HEIGHT - _BAND
        canvas.setFillColor(SIMULATED)
        canvas.rect(0, bottom, PAGE_WIDTH, _BAND, stroke=0, fill=1)
        canvas.setFillColor(INK)
        canvas.setFont(BOLD, 8)
        canvas.drawString(MARGIN, bottom + 5.4, SIMULATED_LABEL)
        canvas.setFont(REGULAR, 7)
        canvas.drawRightString(PAGE_WIDTH - MARGIN, bottom + 5.4, _SIMULATED_NOTE)
    canvas.setFillColor(MUTED)
    canvas.setFont(REGULAR, 7)
    header = PAGE_HEIGHT - 38
    canvas.drawString(MARGIN, header, plain(frame.header_left, 70))
    canvas.drawRightString(PAGE_WIDTH - MARGIN, header, plain(frame.header_right, 60))
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, header - 6, PAGE_WIDTH - MARGIN, header - 6)
    canvas.line(MARGIN, 34, PAGE_WIDTH - MARGIN, 34)
    canvas.drawString(MARGIN, 23, plain(frame.footer, 110))
    canvas.drawRightString(PAGE_WIDTH - MARGIN, 23, f"Page {page} of {total}")
    canvas.restoreState()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Missing folders are created. After a failure the old file is untouched and nothing is left
    beside it.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
