"""Fonts that are embedded in every PDF, and external text made safe for a page."""

import importlib.util
import re
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR = "Report"
BOLD = "Report-Bold"
MONO = "Report-Mono"
MAX_TEXT = 400
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def register_fonts() -> None:
    """Make the report's fonts known to reportlab; a second call does nothing.

    DejaVu comes with matplotlib; where a distribution has cut it out, reportlab's own Vera, the
    same design with fewer letters, takes its place.
    """
    for name, dejavu, vera in (
        (REGULAR, "DejaVuSans.ttf", "Vera.ttf"),
        (BOLD, "DejaVuSans-Bold.ttf", "VeraBd.ttf"),
        (MONO, "DejaVuSansMono.ttf", "Vera.ttf"),
    ):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(_font_file(dejavu, vera))))
    # Without a family, <b> in a paragraph would fall back to a font that is not embedded.
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR)


def _font_file(dejavu: str, vera: str) -> Path:
    spec = importlib.util.find_spec("matplotlib")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / dejavu
        if path.is_file():
            return path
    return Path(reportlab.__file__).parent / "fonts" / vera


@cache
def _glyphs() -> frozenset[int]:
    register_fonts()
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)


def plain(text: object, limit: int = MAX_TEXT) -> str:
    """Return external text as one printable line of at most ``limit`` characters.

    Control and direction characters become blanks; a letter that the font lacks becomes ``?``.
    """
    line = " ".join(_UNPRINTABLE.sub(" ", str(text)).split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    glyphs = _glyphs()
    return "".join(letter if ord(letter) in glyphs else "?" for letter in line)


def markup(text: object, limit: int = MAX_TEXT) -> str:
    """Return external text for a reportlab paragraph, where ``<`` and ``&`` are only letters."""
    return escape(plain(text, limit))
