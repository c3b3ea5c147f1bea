"""The pages of a daily report: what the account holds, what it did, and why."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from reportlab.platypus import Paragraph, Spacer, Table

from trading_pipeline.adapters.reports.charts import history_chart
from trading_pipeline.adapters.reports.fonts import markup
from trading_pipeline.adapters.reports.pages import section
from trading_pipeline.adapters.reports.tables import (
    Column,
    Tile,
    callout,
    figures_table,
    tiles,
)
from trading_pipeline.adapters.reports.theme import CAUTION, GOOD, style
from trading_pipeline.reporting.daily import DailyReport
from trading_pipeline.reporting.formats import (
    instant,
    number,
    percent,
    price,
    quantity,
    signed,
    signed_percent,
    span,
)
from trading_pipeline.signals.signal import Signal, SignalStatus, Vote

_DIRECTIONS = {1: "long", 0: "flat", -1: "close"}


def daily_story(report: DailyReport) -> list[Any]:
    """Return the flowables of the report."""
    return [
        *_summary(report),
        *_positions(report),
        *_orders(report),
        *_denials(report),
        *_signals(report),
        *_freshness(report),
    ]


def _summary(report: DailyReport) -> list[Any]:
    portfolio = report.portfolio
    words = (
        f"{report.date:%A} {report.date.day} {report.date:%B %Y} (UTC) · {report.venue_label}",
        f"account {report.account} · mode {report.mode} · money in {report.quote}",
    )
    entries = [
        Tile("Equity", number(portfolio.equity), f"cash {number(portfolio.cash)}"),
        Tile(
            "Result of the day", signed(portfolio.day_pnl), signed_percent(portfolio.day_return, 2)
        ),
        Tile("Unrealised", signed(portfolio.unrealised_pnl), "open positions"),
        Tile("Realised", signed(portfolio.realised_pnl), f"fees paid {number(portfolio.fees)}"),
    ]
    parts: list[Any] = [
        Paragraph("Daily report", style("title")),
        Paragraph("<br/>".join(markup(line) for line in words), style("subtitle")),
        Spacer(0, 8),
        _attention(report),
        Spacer(0, 10),
        tiles(entries),
    ]
    if report.symbols:
        rows = [[line.symbol.pair, line.text] for line in report.symbols]
        parts += [
            Spacer(0, 8),
            figures_table(
                [Column("Symbol", 1, is_text=True), Column("Today", 5, is_text=True)], rows
            ),
        ]
    if report.history is not None:
        parts += [
            Spacer(0, 12),
            *section("Equity of the account", room=170),
            history_chart(report.history.time_us, report.history.equity),
        ]
    return parts


def _attention(report: DailyReport) -> Table:
    stale = [
        f"{row.symbol.pair} {row.timeframe}: the newest candle is "
        f"{'missing' if row.age is None else f'{span(row.age)} old'}; "
        f"{span(row.limit)} is the limit."
        for row in report.freshness
        if row.is_stale
    ]
    sentences = [*report.alerts, *stale]
    if not report.freshness:
        sentences.append("No candle is watched: how old the data is, is unknown.")
    if not sentences:
        done = (
            f"{_several(len(report.fills), 'fill')} and {_several(len(report.denials), 'denial')}"
        )
        return callout("Nothing needs attention.", [f"{done} today; data is fresh."], GOOD)
    thing = "thing needs" if len(sentences) == 1 else "things need"
    return callout(f"{len(sentences)} {thing} attention.", sentences, CAUTION)


def _several(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _positions(report: DailyReport) -> list[Any]:
    rows = [
        [
            row.symbol.pair,
            quantity(row.quantity),
            price(row.average_price),
            price(row.last_price),
            number(row.value),
            signed(row.unrealised_pnl),
            percent(row.share),
        ]
        for row in report.positions
    ]
    columns = [
        Column("Symbol", 1.2, is_text=True),
        Column("Quantity"),
        Column("Average price", 1.2),
        Column("Last price", 1.2),
        Column("Value"),
        Column("Unrealised"),
        Column("Share of equity", 1.2),
    ]
    losing = [(i, 5) for i, row in enumerate(report.positions) if _is_loss(row.unrealised_pnl)]
    return _block("Open positions", columns, rows, "No position is open.", marked=losing)


def _is_loss(amount: Decimal | None) -> bool:
    return amount is not None and amount.is_finite() and amount < 0


def _orders(report: DailyReport) -> list[Any]:
    orders = [
        [
            instant(row.created_at),
            row.symbol.pair,
            row.side.value,
            quantity(row.quantity),
            price(row.reference_price),
            row.status.value.replace("_", " "),
            row.client_order_id,
            row.note,
        ]
        for row in report.orders
    ]
    order_columns = [
        Column("Time (UTC)", 75, is_text=True),
        Column("Symbol", 52, is_text=True),
        Column("Side", 28, is_text=True),
        Column("Quantity", 50),
        Column("Price seen", 54),
        Column("Status", 56, is_text=True),
        Column("Order id", 134, is_mono=True),
        Column("Note", 62, is_text=True),
    ]
    fills = [
        [
            instant(fill.executed_at),
            fill.symbol.pair,
            fill.side.value,
            quantity(fill.quantity),
            price(fill.price),
            number(fill.quantity * fill.price),
            number(fill.fee, 4),
            fill.trade_id,
        ]
        for fill in report.fills
    ]
    fill_columns = [
        Column("Time (UTC)", 75, is_text=True),
        Column("Symbol", 52, is_text=True),
        Column("Side", 28, is_text=True),
        Column("Quantity", 50),
        Column("Price", 54),
        Column("Notional", 54),
        Column("Fee", 42),
        Column("Trade id", 156, is_mono=True),
    ]
    return [
        *_block("Orders of the day", order_columns, orders, "No order was made."),
        *_block("Fills of the day", fill_columns, fills, "Nothing was filled."),
    ]


def _denials(report: DailyReport) -> list[Any]:
    rows = [
        [instant(row.denied_at), row.symbol.pair, row.reason.replace("_", " "), row.detail]
        for row in report.denials
    ]
    columns = [
        Column("Time (UTC)", 1.2, is_text=True),
        Column("Symbol", 0.9, is_text=True),
        Column("Reason", 1.3, is_text=True),
        Column("Detail", 3.6, is_text=True),
    ]
    return _block("Denied by risk", columns, rows, "Risk denied nothing.")


def _signals(report: DailyReport) -> list[Any]:
    rows = [
        [
            instant(signal.candle_open_time),
            f"{signal.symbol} {signal.timeframe}",
            _decision(signal),
            "; ".join(_vote(vote) for vote in signal.votes) or "no vote",
            signal.reason,
        ]
        for signal in report.signals
    ]
    columns = [
        Column("Candle (UTC)", 75, is_text=True),
        Column("Market", 66, is_text=True),
        Column("Decision", 50, is_text=True),
        Column("Votes", 215, is_text=True),
        Column("Reason", 105, is_text=True),
    ]
    return _block(
        "Live signals",
        columns,
        rows,
        "No signal was decided.",
        lead="One decision per closed candle, with the vote of every source behind it.",
    )


def _decision(signal: Signal) -> str:
    if signal.status is SignalStatus.ABSTAINED:
        return "abstained"
    return f"{_DIRECTIONS[signal.direction]} {number(signal.strength)}"


def _vote(vote: Vote) -> str:
    if vote.status is SignalStatus.ABSTAINED:
        return f"{vote.source} abstained ({vote.reason})"
    return f"{vote.source} {_DIRECTIONS[vote.direction]} {number(vote.strength)}"


def _freshness(report: DailyReport) -> list[Any]:
    rows = [
        [
            row.symbol.pair,
            row.timeframe,
            instant(row.newest_close),
            span(row.age),
            span(row.limit),
            "STALE" if row.is_stale else "fresh",
        ]
        for row in report.freshness
    ]
    columns = [
        Column("Symbol", 1.2, is_text=True),
        Column("Timeframe", 0.9, is_text=True),
        Column("Newest close (UTC)", 1.5, is_text=True),
        Column("Age"),
        Column("Limit"),
        Column("State", 0.8, is_text=True),
    ]
    return _block("Data freshness", columns, rows, "No candle is watched.")


def _block(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    nothing: str,
    *,
    lead: str = "",
    marked: Sequence[tuple[int, int]] = (),
) -> list[Any]:
    parts = [Spacer(0, 10), *section(title, lead, room=70)]
    if rows:
        parts.append(figures_table(columns, rows, marked=marked))
    else:
        parts.append(Paragraph(markup(nothing), style("lead")))
    return parts
