"""Colours, sizes and paragraph styles of the printed reports."""

from functools import cache
from typing import Any

from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle

from trading_pipeline.adapters.reports.fonts import BOLD, MONO, REGULAR, register_fonts

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN = 42.0
WIDTH = PAGE_WIDTH - 2 * MARGIN

INK = HexColor("#16202c")
MUTED = HexColor("#5c6876")
RULE = HexColor("#cfd6de")
GRID = HexColor("#e7ebf0")
PANEL = HexColor("#f4f6f9")
# Blue against orange stays apart for every common colour blindness; red and green do not.
GAIN = HexColor("#1f5fa8")
LOSS = HexColor("#c2480c")
BENCHMARK = HexColor("#8a95a3")
GOOD = HexColor("#1d6f5c")
CAUTION = HexColor("#b26a00")
CAUTION_TINT = HexColor("#fbe3b5")
SIMULATED = HexColor("#f6b73c")


def shade(value: float, extreme: float) -> tuple[Color, Color]:
    """Return background and text colour of a heat cell; ``extreme`` is the value of full colour."""
    depth = min(abs(value) / extreme, 1.0) if extreme > 0 else 0.0
    full = GAIN if value >= 0 else LOSS
    mix = 0.06 + 0.84 * depth
    background = Color(*(1 + (part - 1) * mix for part in (full.red, full.green, full.blue)))
    return background, white if mix > 0.55 else INK


@cache
def style(name: str) -> ParagraphStyle:
    """Return the paragraph style ``name``; see ``_STYLES``."""
    register_fonts()
    return ParagraphStyle(name, **{**_BODY, **_STYLES[name]})


_BODY: dict[str, Any] = {"fontName": REGULAR, "fontSize": 8, "leading": 11.5, "textColor": INK}
_STYLES: dict[str, dict[str, Any]] = {
    "body": {},
    "title": {"fontName": BOLD, "fontSize": 21, "leading": 26},
    "subtitle": {"fontSize": 9.5, "leading": 14, "textColor": MUTED},
    "section": {"fontName": BOLD, "fontSize": 12.5, "leading": 16, "spaceAfter": 3},
    "chart": {"fontName": BOLD, "fontSize": 8.5, "leading": 12, "spaceBefore": 9, "spaceAfter": 2},
    "lead": {"textColor": MUTED, "spaceAfter": 5},
    "note": {"fontSize": 7, "leading": 10, "textColor": MUTED},
    "verdict": {"fontName": BOLD, "fontSize": 12, "leading": 16},
    "reason": {
        "fontSize": 8,
        "leading": 11.5,
        "leftIndent": 11,
        "bulletIndent": 0,
        "bulletFontName": REGULAR,
        "bulletFontSize": 8,
        "spaceBefore": 2,
    },
    "tile_label": {"fontSize": 7, "leading": 9, "textColor": MUTED},
    "tile_value": {"fontName": BOLD, "fontSize": 14.5, "leading": 19},
    "cell": {"fontSize": 7.2, "leading": 9.4},
    "cell_bold": {"fontName": BOLD, "fontSize": 7.2, "leading": 9.4},
    "cell_right": {"fontSize": 7.2, "leading": 9.4, "alignment": TA_RIGHT},
    "mono": {"fontName": MONO, "fontSize": 6.8, "leading": 9.4},
}
