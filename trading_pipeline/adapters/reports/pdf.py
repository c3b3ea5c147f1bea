"""Reports as PDF: A4, vector charts, embedded fonts, equal bytes for equal input."""

from pathlib import Path

from trading_pipeline import __version__
from trading_pipeline.adapters.reports.backtest_story import backtest_story
from trading_pipeline.adapters.reports.daily_story import daily_story
from trading_pipeline.adapters.reports.pages import PageFrame, render, write_atomically
from trading_pipeline.reporting.daily import DailyReport
from trading_pipeline.reporting.formats import instant
from trading_pipeline.reporting.report import BacktestReport

MAX_TRADES_LISTED = 200


def backtest_pdf(report: BacktestReport, *, max_trades: int = MAX_TRADES_LISTED) -> bytes:
    """Return the PDF of a backtest report.

    The newest ``max_trades`` trades are listed; where there are more, the page says so.
    """
    frame = PageFrame(
        title=f"{report.title}: {report.symbol.pair} {report.timeframe}",
        header_left=f"{report.title} · {report.symbol.pair} · {report.timeframe}",
        header_right=report.venue_label,
        footer=_footer("Hypothetical results of a backtest", instant(report.as_of)),
        is_simulated=report.is_simulated,
    )
    return render(lambda: backtest_story(report, max_trades), frame)


def daily_pdf(report: DailyReport) -> bytes:
    """Return the PDF of a daily report."""
    frame = PageFrame(
        title=f"Daily report {report.date.isoformat()}: {report.account}",
        header_left=f"Daily report · {report.date.isoformat()} · account {report.account}",
        header_right=report.venue_label,
        footer=_footer(f"Mode: {report.mode}", instant(report.as_of)),
        is_simulated=report.is_simulated,
    )
    return render(lambda: daily_story(report), frame)


def write_backtest_report(
    report: BacktestReport, path: Path, *, max_trades: int = MAX_TRADES_LISTED
) -> Path:
    """Write a backtest report to ``path``, whole or not at all, and return the path.

    Raises
    ------
    OSError
        If the folder cannot be written; an older report there stays as it was.
    """
    write_atomically(path, backtest_pdf(report, max_trades=max_trades))
    return path


def write_daily_report(report: DailyReport, path: Path) -> Path:
    """Write a daily report to ``path``, whole or not at all, and return the path.

    Raises
    ------
    OSError
        If the folder cannot be written; an older report there stays as it was.
    """
    write_atomically(path, daily_pdf(report))
    return path


def _footer(first: str, as_of: str) -> str:
    return f"{first} · market time {as_of} UTC · trading-pipeline {__version__}"
