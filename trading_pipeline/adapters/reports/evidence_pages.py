"""The pages that a reader needs to doubt a result: folds, data, assumptions, lineage."""

from collections.abc import Sequence
from typing import Any

from reportlab.platypus import CondPageBreak, KeepTogether, Paragraph, Spacer, Table

from trading_pipeline.adapters.reports.charts import (
    accuracy_chart,
)
from trading_pipeline.adapters.reports.month_grid import coverage_grid
from trading_pipeline.adapters.reports.pages import section
from trading_pipeline.adapters.reports.tables import (
    Column,
    Tile,
    facts_table,
    figures_table,
    tiles,
)
from trading_pipeline.adapters.reports.theme import style
from trading_pipeline.reporting.formats import (
    count,
    instant,
    is_number,
    number,
    percent,
    points,
)
from trading_pipeline.reporting.report import BacktestReport
from trading_pipeline.reporting.verdict import Fold, pooled_score


def forecast_pages(report: BacktestReport) -> list[Any]:
    """Return the walk-forward folds against their base rates."""
    lead = (
        "Each month was predicted by a model that was trained only on labels that had ended "
        "before it. The base rate is the accuracy of always naming the most frequent class of "
        "the training window."
    )
    parts = [Spacer(0, 14), *section("Forecast, month by month", lead, room=270)]
    parts.append(accuracy_chart(report.folds))
    if report.folds:
        parts += [Spacer(0, 6), _fold_table(report.folds)]
    return parts


def _fold_table(folds: Sequence[Fold]) -> Table:
    rows, marked = [], []
    for i, fold in enumerate(folds):
        lead = None
        if is_number(fold.accuracy) and is_number(fold.base_rate):
            lead = fold.accuracy - fold.base_rate
            if lead <= 0:
                marked.append((i, 5))
        rows.append(
            [
                fold.month.key,
                count(fold.n_train),
                count(fold.n_test),
                percent(fold.accuracy),
                percent(fold.base_rate),
                points(lead),
                number(fold.log_loss, 3),
                number(fold.base_log_loss, 3),
            ]
        )
    score = pooled_score(folds)
    totals = None
    if score is not None:
        totals = [
            "All",
            "",
            count(score.n_test),
            percent(score.accuracy),
            percent(score.base_rate),
            points(score.accuracy - score.base_rate),
            "",
            "",
        ]
    columns = ["Month", "Trained on", "Tested on", "Accuracy", "Base rate", "Lead", "Log loss"]
    headers = [*columns, "Base log loss"]
    return figures_table(
        [Column(name, is_text=i == 0) for i, name in enumerate(headers)],
        rows,
        totals=totals,
        marked=marked,
    )


_COLOURS = (
    "Yellow: bars are missing for a known reason. Orange: bars are missing, and nobody knows why."
)


def quality_pages(report: BacktestReport) -> list[Any]:
    """Return what is known about the candles."""
    quality = report.quality
    lead = (
        "A bar is missing where the venue has no candle. Explained: a listed halt, a venue silent "
        "in every symbol, no trade, or a second source that agrees. Unexplained gaps block the "
        "rows that they reach; only another record of the same venue fills a hole."
    )
    figures = [
        Tile("Bars expected", count(quality.expected), "in the period"),
        Tile(
            "Bars present",
            count(quality.present),
            _present_share(quality.present, quality.expected),
        ),
        Tile("Missing, explained", count(quality.explained), "known cause"),
        Tile("Missing, unexplained", count(quality.unexplained), "rows after them blocked"),
        Tile("Rows dropped", count(quality.dropped), "refused in the source"),
    ]
    parts = [Spacer(0, 14), *section("Data quality", lead, room=260), tiles(figures)]
    if quality.months:
        parts.append(
            KeepTogether(
                [
                    Paragraph("Share of bars present", style("chart")),
                    coverage_grid(quality.months),
                    Paragraph(_COLOURS, style("note")),
                ]
            )
        )
    if quality.gaps:
        parts += [CondPageBreak(90), Paragraph("Gaps", style("chart")), _gap_table(report)]
    if quality.dropped_by_reason:
        rows = [
            [reason.replace("_", " "), count(n)] for reason, n in quality.dropped_by_reason.items()
        ]
        parts += [
            CondPageBreak(90),
            Paragraph("Rows dropped, by reason", style("chart")),
            figures_table([Column("Reason", 4, is_text=True), Column("Rows")], rows),
        ]
    return parts


def _present_share(present: int, expected: int) -> str:
    return f"{percent(present / expected, 2)} of them" if expected else "none expected"


def _gap_table(report: BacktestReport) -> Table:
    gaps = report.quality.gaps
    return figures_table(
        [
            Column("From (UTC)", 1.3, is_text=True),
            Column("To (UTC)", 1.3, is_text=True),
            Column("Bars", 0.6),
            Column("Cause", 2, is_text=True),
            Column("Explained", 0.8, is_text=True),
        ],
        [
            [
                instant(gap.start),
                instant(gap.end),
                count(gap.n_bars),
                gap.kind.replace("_", " "),
                "yes" if gap.is_explained else "NO",
            ]
            for gap in gaps
        ],
    )


def assumption_pages(report: BacktestReport) -> list[Any]:
    """Return what the backtest takes for granted, and what it was computed from."""
    assumed = report.assumptions
    facts = [
        ("Starting balance", f"{number(assumed.initial_balance)} {report.symbol.quote}"),
        ("Taker fee", f"{number(assumed.taker_fee_bps, 1)} bps of every fill"),
        ("Slippage", f"{number(assumed.slippage_bps, 1)} bps against the trade"),
        ("Fills", assumed.fill_rule),
        ("Sizing", assumed.sizing),
        ("Stop-loss", percent(assumed.stop_loss) if assumed.stop_loss else "none"),
        ("Take-profit", percent(assumed.take_profit) if assumed.take_profit else "none"),
        (
            "Short positions",
            "allowed" if assumed.allow_short else "not allowed: a sell signal closes",
        ),
        *((f"Note {i}", note) for i, note in enumerate(assumed.notes, start=1)),
    ]
    parts = [Spacer(0, 14), *section("Assumptions", room=200), facts_table(facts)]
    if report.lineage:
        lead = "What was computed from what; equal fingerprints mean equal inputs."
        rows = [[entry.name, entry.value] for entry in report.lineage]
        parts += [
            Spacer(0, 14),
            *section("Lineage", lead, room=120),
            figures_table(
                [Column("Part", 1, is_text=True), Column("Value", 2.8, is_mono=True)], rows
            ),
        ]
    return parts
