from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.adapters.reports.fonts import markup, plain


def test_external_text_becomes_one_printable_line():
    assert plain("a\n b\t\x00c\u202ed") == "a b c d"
    assert plain("Ωμέγα Привет −12 €") == "Ωμέγα Привет −12 €"
    assert plain("漢字🚀") == "???"
    assert plain("x" * 50, 10) == "x" * 9 + "…"


def test_markup_is_escaped():
    assert markup("<b>&</b>") == "&lt;b&gt;&amp;&lt;/b&gt;"


@given(st.text())
def test_text_is_cut_before_it_is_escaped(text):
    assert len(plain(text, 20)) <= 20
    assert "<" not in markup(text)
