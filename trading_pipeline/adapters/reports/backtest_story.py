"""The pages of a backtest report, in reading order: verdict first, evidence after it."""

from typing import Any

from reportlab.platypus import Paragraph, Spacer, Table

from trading_pipeline.adapters.reports.charts import (
    drawdown_chart,
    equity_chart,
)
from trading_pipeline.adapters.reports.evidence_pages import (
    assumption_pages,
    forecast_pages,
    quality_pages,
)
from trading_pipeline.adapters.reports.fonts import markup
from trading_pipeline.adapters.reports.month_grid import returns_grid
from trading_pipeline.adapters.reports.pages import section
from trading_pipeline.adapters.reports.plot import empty_chart
from trading_pipeline.adapters.reports.tables import (
    Column,
    Tile,
    callout,
    figures_table,
    tiles,
)
from trading_pipeline.adapters.reports.theme import CAUTION, GOOD, LOSS, WIDTH, style
from trading_pipeline.adapters.reports.trade_pages import trade_list, trade_pages
from trading_pipeline.reporting.formats import (
    count,
    day,
    drawdown_percent,
    number,
    percent,
    signed_percent,
    span,
)
from trading_pipeline.reporting.report import BacktestReport
from trading_pipeline.reporting.verdict import Performance, VerdictOutcome, pooled_score

_VERDICT_COLOURS = {
    VerdictOutcome.NO_EDGE: LOSS,
    VerdictOutcome.UNPROVEN: CAUTION,
    VerdictOutcome.INDICATED: GOOD,
}


def backtest_story(report: BacktestReport, max_trades: int) -> list[Any]:
    """Return the flowables of the report."""
    return [
        *_summary(report),
        *_risk(report),
        *trade_pages(report),
        *forecast_pages(report),
        *quality_pages(report),
        *assumption_pages(report),
        *trade_list(report, max_trades),
    ]


def _summary(report: BacktestReport) -> list[Any]:
    quote = report.symbol.quote
    parts = [f"{report.symbol.pair} · {report.timeframe} candles · {report.venue_label}"]
    parts.append(
        f"{day(report.start)} to {day(report.end)} ({span(report.end - report.start)}), "
        f"money in {quote}"
    )
    subtitle = "<br/>".join(markup(part) for part in parts)
    return [
        Paragraph(markup(report.title, 120), style("title")),
        Paragraph(subtitle, style("subtitle")),
        Spacer(0, 8),
        callout(
            report.verdict.headline,
            report.verdict.reasons,
            _VERDICT_COLOURS[report.verdict.outcome],
        ),
        Spacer(0, 10),
        tiles(_tiles(report)),
        Spacer(0, 12),
        *section("Equity", room=220),
        equity_chart(report.curve),
        Spacer(0, 8),
        _comparison(report),
    ]


def _tiles(report: BacktestReport) -> list[Tile]:
    own, held = report.strategy, report.buy_hold
    score = pooled_score(report.folds)
    return [
        Tile(
            "Return after costs",
            signed_percent(own.total_return),
            f"buy and hold {signed_percent(held.total_return)}",
        ),
        Tile("Sharpe ratio", number(own.sharpe), f"buy and hold {number(held.sharpe)}"),
        Tile(
            "Largest drawdown",
            drawdown_percent(own.max_drawdown),
            f"buy and hold {drawdown_percent(held.max_drawdown)}",
        ),
        Tile(
            "Forecast accuracy",
            percent(score.accuracy if score else None),
            f"base rate {percent(score.base_rate if score else None)}",
        ),
        Tile(
            "Trades",
            count(report.trade_statistics.n_trades),
            f"won {percent(report.trade_statistics.win_rate, 0)}",
        ),
    ]


def _comparison(report: BacktestReport) -> Table:
    rows = [["Strategy", *_performance_cells(report.strategy)]]
    rows.append(["Buy and hold", *_performance_cells(report.buy_hold)])
    return figures_table(
        [
            Column("", 1.5, is_text=True),
            Column("Return"),
            Column("Per year"),
            Column("Volatility"),
            Column("Sharpe", 0.8),
            Column("Sortino", 0.8),
            Column("Drawdown"),
            Column("Under water", 1.1),
            Column("Exposure"),
            Column(f"Final {report.symbol.quote}", 1.3),
        ],
        rows,
    )


def _performance_cells(performance: Performance) -> list[str]:
    return [
        signed_percent(performance.total_return),
        signed_percent(performance.annual_return),
        percent(performance.volatility),
        number(performance.sharpe),
        number(performance.sortino),
        drawdown_percent(performance.max_drawdown),
        span(performance.max_drawdown_duration),
        percent(performance.exposure),
        number(performance.final_equity),
    ]


def _risk(report: BacktestReport) -> list[Any]:
    parts = [
        Spacer(0, 14),
        *section("Drawdown", "Loss from the highest equity so far.", room=200),
        drawdown_chart(report.curve),
        Spacer(0, 14),
        *section(
            "Monthly returns",
            "After costs, by calendar month in UTC; months chain to the return of the year.",
            room=150,
        ),
    ]
    if report.monthly:
        parts += [
            Paragraph("Strategy", style("chart")),
            returns_grid([(row.month, row.strategy) for row in report.monthly]),
            Paragraph("Buy and hold", style("chart")),
            returns_grid([(row.month, row.buy_hold) for row in report.monthly]),
        ]
    else:
        parts.append(empty_chart(WIDTH, "No month has been traded yet"))
    if report.comparison:
        parts += [Spacer(0, 14), *_sources(report)]
    return parts


def _sources(report: BacktestReport) -> list[Any]:
    rows = [
        [
            line.source,
            signed_percent(line.performance.total_return),
            number(line.performance.sharpe),
            drawdown_percent(line.performance.max_drawdown),
            percent(line.performance.exposure),
            count(line.n_trades),
        ]
        for line in report.comparison
    ]
    return [
        *section(
            "Signal sources on their own",
            "Each source traded alone, with the same costs and sizing. Picking the best of them "
            "after the fact is a choice that this report does not correct for.",
            room=140,
        ),
        figures_table(
            [
                Column("Source", 2, is_text=True),
                Column("Return"),
                Column("Sharpe"),
                Column("Drawdown"),
                Column("Exposure"),
                Column("Trades"),
            ],
            rows,
        ),
    ]
