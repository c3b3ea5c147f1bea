"""The pages about trades: statistics, distribution, and the list."""

from collections import Counter
from typing import Any

from reportlab.platypus import KeepTogether, Paragraph, Spacer, Table

from trading_pipeline.adapters.reports.charts import (
    return_histogram,
)
from trading_pipeline.adapters.reports.pages import section
from trading_pipeline.adapters.reports.tables import (
    Column,
    figures_table,
)
from trading_pipeline.adapters.reports.theme import style
from trading_pipeline.reporting.formats import (
    count,
    instant,
    number,
    percent,
    price,
    quantity,
    signed,
    signed_percent,
    span,
)
from trading_pipeline.reporting.report import BacktestReport


def trade_pages(report: BacktestReport) -> list[Any]:
    """Return what the trades say together."""
    statistics = report.trade_statistics
    facts = [
        ("Trades", count(statistics.n_trades)),
        ("Won", percent(statistics.win_rate)),
        ("Profit factor", number(statistics.profit_factor)),
        ("Mean PnL", signed(statistics.expectancy)),
        ("Mean win", signed(statistics.average_win)),
        ("Mean loss", signed(statistics.average_loss)),
        ("Best", signed(statistics.best)),
        ("Worst", signed(statistics.worst)),
        ("Fees paid", number(statistics.total_fees)),
        ("Mean holding", span(statistics.average_holding)),
    ]
    columns = [Column(name, 1.3 if len(name) > 10 else 1.0) for name, _ in facts]
    parts = [
        Spacer(0, 14),
        *section(
            "Trades",
            f"Round trips after fees and slippage; money in {report.symbol.quote}.",
            room=260,
        ),
        figures_table(columns, [[text for _, text in facts]]),
        Paragraph("Return per trade", style("chart")),
        return_histogram([trade.return_ for trade in report.trades]),
    ]
    if report.trades:
        ending = [Paragraph("How trades ended", style("chart")), _exit_table(report)]
        parts.append(KeepTogether(ending))
    return parts


def _exit_table(report: BacktestReport) -> Table:
    by_reason = Counter(trade.exit_reason for trade in report.trades)
    rows = []
    for reason, n in sorted(by_reason.items(), key=lambda item: (-item[1], item[0])):
        ended = [trade for trade in report.trades if trade.exit_reason == reason]
        rows.append(
            [
                reason.replace("_", " "),
                count(n),
                percent(n / len(report.trades)),
                percent(sum(trade.pnl > 0 for trade in ended) / n),
                signed_percent(sum(trade.return_ for trade in ended) / n, 2),
                signed(sum(trade.pnl for trade in ended)),
            ]
        )
    return figures_table(
        [
            Column("Exit", 2, is_text=True),
            Column("Trades"),
            Column("Share"),
            Column("Won"),
            Column("Mean return"),
            Column(f"Sum {report.symbol.quote}", 1.3),
        ],
        rows,
    )


def trade_list(report: BacktestReport, max_trades: int) -> list[Any]:
    """Return the newest ``max_trades`` trades, one per row."""
    if not report.trades:
        return []
    # max(..., 1): a slice from -0 would list every trade.
    listed = list(report.trades)[-max(max_trades, 1) :]
    n_all = len(report.trades)
    lead = (
        f"All {count(n_all)} trades, oldest first. Times in UTC."
        if len(listed) == n_all
        else f"The newest {count(len(listed))} of {count(n_all)} trades, oldest first, in UTC."
    )
    digits = max(len(quantity(trade.quantity).partition(".")[2]) for trade in listed)
    rows = [
        [
            instant(trade.entry_time),
            instant(trade.exit_time),
            trade.side,
            number(trade.quantity, digits),
            price(trade.entry_price),
            price(trade.exit_price),
            number(trade.fees),
            signed(trade.pnl),
            signed_percent(trade.return_, 2),
            trade.exit_reason.replace("_", " "),
        ]
        for trade in listed
    ]
    marked = [(i, 7) for i, trade in enumerate(listed) if trade.pnl < 0]
    return [
        Spacer(0, 14),
        *section("Trade list", lead, room=160),
        figures_table(
            [
                Column("Entry", 73, is_text=True, is_short=True),
                Column("Exit", 73, is_text=True, is_short=True),
                Column("Side", 31, is_text=True, is_short=True),
                Column("Quantity", 50),
                Column("Entry price", 54),
                Column("Exit price", 54),
                Column("Fees", 33),
                Column("PnL", 45),
                Column("Return", 47),
                Column("Exit by", 66, is_text=True),
            ],
            rows,
            marked=marked,
        ),
    ]
