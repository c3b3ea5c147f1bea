"""What the PDF says is read back from its bytes with pypdf, an independent reader."""

import math
import re
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from trading_pipeline.adapters.reports.pdf import (
    backtest_pdf,
    daily_pdf,
    write_backtest_report,
    write_daily_report,
)
from trading_pipeline.reporting.quality import DataQuality
from trading_pipeline.reporting.report import TradeStatistics
from trading_pipeline.reporting.verdict import Performance
from trading_pipeline_tests.report_builders import (
    make_backtest_report,
    make_curve,
    make_daily_report,
)

SECTIONS = [
    "Equity",
    "Drawdown",
    "Monthly returns",
    "Signal sources on their own",
    "Trades",
    "Forecast, month by month",
    "Data quality",
    "Assumptions",
    "Lineage",
    "Trade list",
]


def pages(content):
    return [page.extract_text() for page in PdfReader(BytesIO(content)).pages]


def words(content):
    return " ".join(" ".join(pages(content)).split())


def test_every_page_of_a_simulated_market_says_so():
    for content in (
        backtest_pdf(make_backtest_report(n_trades=150, n_folds=60)),
        daily_pdf(make_daily_report()),
    ):
        assert all("SIMULATED MARKET" in page for page in pages(content))


def test_a_real_market_is_not_called_simulated():
    for content in (
        backtest_pdf(make_backtest_report(is_simulated=False, venue_label="Binance spot")),
        daily_pdf(replace(make_daily_report(is_simulated=False), venue_label="Binance spot")),
    ):
        assert "SIMULATED" not in words(content)
        assert all("Binance spot" in page for page in pages(content))


def test_every_page_says_which_of_how_many_it_is():
    texts = pages(backtest_pdf(make_backtest_report(n_trades=200)))
    assert len(texts) > 4
    for i, text in enumerate(texts, start=1):
        assert f"Page {i} of {len(texts)}" in text


def test_equal_reports_give_equal_bytes():
    assert backtest_pdf(make_backtest_report()) == backtest_pdf(make_backtest_report())
    assert daily_pdf(make_daily_report()) == daily_pdf(make_daily_report())


def test_the_verdict_stands_on_the_first_page():
    first = pages(backtest_pdf(make_backtest_report()))[0]
    assert "No edge found." in first
    assert "holding returned +25.0%" in " ".join(first.split())


def test_the_outline_lists_the_sections_on_their_pages():
    reader = PdfReader(BytesIO(backtest_pdf(make_backtest_report())))
    assert [entry.title for entry in reader.outline] == SECTIONS
    for entry in reader.outline:
        page = reader.pages[reader.get_destination_page_number(entry)]
        assert entry.title in page.extract_text()


def test_charts_are_vectors_and_every_font_is_embedded():
    content = backtest_pdf(make_backtest_report())
    for page in PdfReader(BytesIO(content)).pages:
        assert not page.images
        for font in page["/Resources"]["/Font"].values():
            assert "/FontFile2" in font.get_object()["/FontDescriptor"]


def test_a_report_without_anything_says_what_is_missing():
    report = make_backtest_report(n_bars=0, n_trades=0, n_folds=0)
    text = words(backtest_pdf(replace(report, quality=DataQuality(), lineage=(), comparison=())))
    for sentence in (
        "No equity to draw yet",
        "No drawdown to draw yet",
        "No month has been traded yet",
        "No trade has been closed",
        "No walk-forward fold has been scored yet",
    ):
        assert sentence in text
    assert "Trade list" not in text


@pytest.mark.parametrize("undefined", [None, math.nan, math.inf])
def test_undefined_numbers_are_shown_as_not_available(undefined):
    nothing = Performance(*[undefined] * 6, None, undefined, undefined)
    report = make_backtest_report(n_bars=1, n_trades=0, n_folds=0, strategy=nothing)
    statistics = TradeStatistics(0, undefined, undefined, undefined)
    text = words(backtest_pdf(replace(report, trade_statistics=statistics)))
    assert "Strategy" + " n/a" * 9 in text
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_equity_may_be_undefined_or_below_zero():
    curve = make_curve(500)
    curve.strategy[:100] = math.nan
    curve.strategy[400:] = -5.0
    curve.buy_hold[200] = math.inf
    assert "−5" in words(backtest_pdf(replace(make_backtest_report(n_bars=500), curve=curve)))


@pytest.mark.parametrize("n_bars", [1, 2, 24, 744, 87_600])
def test_any_length_from_one_bar_to_ten_years_is_printed(n_bars):
    content = backtest_pdf(make_backtest_report(n_bars=n_bars, n_trades=3, n_folds=1))
    assert len(content) < 400_000
    assert "2023" in words(content)


def test_long_trade_lists_are_cut_and_say_so():
    report = make_backtest_report(n_trades=250)
    whole, cut = (words(backtest_pdf(report, max_trades=n)) for n in (1000, 10))
    assert "All 250 trades, oldest first." in whole
    assert len(re.findall(r"2023-\d\d-\d\d 00:00 2023-\d\d-\d\d 10:00 long", whole)) == 250
    assert "The newest 10 of 250 trades" in cut
    assert len(re.findall(r"20\d\d-\d\d-\d\d 00:00 20\d\d-\d\d-\d\d 10:00 long", cut)) == 10


def test_long_tables_repeat_their_header_on_each_page():
    texts = pages(backtest_pdf(make_backtest_report(n_trades=150)))
    with_rows = [text for text in texts if re.search(r"10:00\s+long", text)]
    assert len(with_rows) > 2
    assert all("Entry price" in text for text in with_rows)


def test_external_text_is_only_text():
    hostile = '<b>&amp;</b> <img src="file:///etc/passwd"/> </para> \x00\x1b[31m \u202etxt 漢字'
    report = make_backtest_report(title=hostile, venue_label=hostile, notes=(hostile,))
    text = words(backtest_pdf(report))
    assert '<b>&amp;</b> <img src="file:///etc/passwd"/> </para>' in text
    assert "[31m txt ??" in text
    assert "</para>" in words(daily_pdf(make_daily_report(detail=hostile)))


@given(st.text(max_size=300))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_can_break_a_page(text):
    assert daily_pdf(make_daily_report(detail=text)).startswith(b"%PDF")


def test_endless_text_is_cut_before_it_is_taller_than_a_page():
    assert "…" in words(daily_pdf(make_daily_report(detail="x" * 100_000)))


def test_gaps_and_dropped_rows_are_listed():
    text = words(backtest_pdf(make_backtest_report(n_bars=2000)))
    assert "2023-02-03 02:00 2023-02-03 05:00 3 listed halt yes" in text
    assert "2023-02-06 20:00 2023-02-06 21:00 1 unexplained NO" in text
    assert "exact duplicate 1" in text


def test_the_daily_report_shows_what_was_done_and_why():
    text = words(daily_pdf(make_daily_report()))
    for piece in (
        "Tuesday 5 March 2024 (UTC)",
        "Nothing needs attention.",
        "10,031.52",
        "tp0123456789abcdef0123456789ab",
        "67,000.10",
        "STALE SIGNAL signal is 3 h old",
        "long 0.45",
        "rsi long 0.60; forecast abstained (warm-up)",
    ):
        assert piece in text


def test_the_daily_report_calls_attention_to_stale_data_and_alerts():
    report = replace(make_daily_report(is_stale=True), alerts=("The kill switch is engaged.",))
    text = words(daily_pdf(report))
    assert "2 things need attention." in text
    assert "The kill switch is engaged." in text
    assert "BTC/USDT 1h: the newest candle is 5 h 12 min old; 1 h is the limit." in text


def test_data_that_nobody_watches_is_not_called_fresh():
    text = words(daily_pdf(replace(make_daily_report(), freshness=())))
    assert "1 thing needs attention." in text
    assert "data is fresh" not in text


def test_a_quiet_day_says_that_nothing_happened():
    report = replace(
        make_daily_report(), positions=(), orders=(), fills=(), denials=(), signals=(), symbols=()
    )
    text = words(daily_pdf(replace(report, history=None)))
    for sentence in (
        "No position is open.",
        "No order was made.",
        "Nothing was filled.",
        "Risk denied nothing.",
        "No signal was decided.",
    ):
        assert sentence in text


def test_reports_are_written_whole_into_new_folders(tmp_path):
    path = write_backtest_report(make_backtest_report(), tmp_path / "a" / "b" / "report.pdf")
    assert path.read_bytes() == backtest_pdf(make_backtest_report())
    write_daily_report(make_daily_report(), path)
    assert path.read_bytes() == daily_pdf(make_daily_report())
    assert [found.name for found in path.parent.iterdir()] == ["report.pdf"]


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    path = tmp_path / "report.pdf"
    path.mkdir()
    with pytest.raises(OSError, match="report"):
        write_daily_report(make_daily_report(), path)
    assert [found.name for found in tmp_path.iterdir()] == ["report.pdf"]
