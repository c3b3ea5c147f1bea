"""``trading data collect``: candles live, over websocket."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option, stderr
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol

if TYPE_CHECKING:
    from trading_pipeline.market_data.collector import Collector, Progress

_LOG = logging.getLogger(__name__)
_SHOWN_EVERY_S = 0.5


@click.command("collect")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
@click.option("--candles", type=click.IntRange(min=1), help="End after so many published candles.")
@click.option(
    "--silence",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds without a message after which the connection is made anew.",
)
@json_option
@click.pass_obj
def collect(
    context: CliContext,
    symbols: tuple[Symbol, ...],
    seconds: float | None,
    candles: int | None,
    silence: float,
    as_json: bool,
) -> None:
    """Collect closed candles live until Ctrl-C: store them, then publish them to the stream.

    What was missed while it did not run is fetched first. Delisted symbols are left out. Only one
    is needed for each profile; several lose no candle.
    """
    settings = context.settings
    collector = wiring.collector(settings, _chosen(settings, symbols), silence)
    began, told = time.monotonic(), ""
    with _stopping(collector) as is_stopped, _status(settings) as show:

        def ends(progress: "Progress") -> bool:
            nonlocal told
            show(progress)
            if progress.problem and progress.problem != told:
                told = progress.problem
                _LOG.warning("candles may come later: %s", told)
            is_over = seconds is not None and time.monotonic() - began >= seconds
            is_enough = candles is not None and progress.published >= candles
            return is_over or is_enough or is_stopped()

        try:
            progress = collector.run(ends)
        except KeyboardInterrupt:
            progress = collector.progress
        finally:
            collector.close()
    payload = _payload(settings, progress, time.monotonic() - began)
    emit(payload, lambda console: _print(console, payload), as_json=as_json)


def _chosen(settings: Settings, symbols: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
    known = settings.market.enabled_symbols
    for symbol in symbols:
        if symbol not in known:
            raise ConfigError.unknown_name(
                "symbol in market.symbols", symbol.key, [each.key for each in known]
            )
    now = datetime.now(UTC)
    tradable = wiring.universe(settings).tradable(now)
    if gone := [symbol for symbol in symbols if symbol not in tradable]:
        words = wiring.delisted_words(settings, gone[0], now)
        raise ConfigError(words or f"{gone[0]} is not listed yet (market.symbols): collect it then")
    if not tradable:
        raise ConfigError("market.symbols has no enabled symbol that is listed now: enable one")
    return symbols or tradable


@contextmanager
def _stopping(collector: "Collector") -> Iterator[Any]:
    """Let Ctrl-C and SIGTERM end the loop where nothing is half done."""
    stops: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stops.append(number)
        if collector.is_asking:
            # An answer that is waited for may take seconds, and nothing of it is stored yet.
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(stops)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _status(settings: Settings) -> Iterator[Any]:
    """Show a line that lives on standard error, where that is a terminal."""
    console = stderr()
    if not console.is_terminal:
        yield lambda progress: None
        return
    shown_at = 0.0
    with console.status("connecting to " + settings.market.venue) as status:

        def show(progress: "Progress") -> None:
            nonlocal shown_at
            if time.monotonic() - shown_at >= _SHOWN_EVERY_S:
                shown_at = time.monotonic()
                status.update(_line(progress))

        yield show


def _line(progress: "Progress") -> str:
    newest = "  ".join(
        f"{pair} {bar.open_time:%H:%M} {bar.close:g}" for pair, bar in progress.newest.items()
    )
    counts = (
        f"{progress.stored:,} stored, {progress.published:,} published, "
        f"{progress.messages:,} messages, {max(progress.connections - 1, 0)} reconnects"
    )
    parts = [part for part in (newest, counts, progress.problem) if part]
    return " | ".join(parts)


def _payload(settings: Settings, progress: "Progress", seconds: float) -> dict[str, Any]:
    return {
        "profile": settings.profile,
        "venue": settings.market.venue,
        "timeframe": settings.market.base_timeframe,
        "stream": wiring.stream_label(settings),
        "seconds": round(seconds, 1),
        "stored": progress.stored,
        "published": progress.published,
        "filled_by_rest": progress.filled,
        "revised": progress.revised,
        "messages": progress.messages,
        "connections": progress.connections,
        "last_disconnect": progress.last_reason or None,
        "problem": progress.problem or None,
        "newest": {
            pair: {"open_time": bar.open_time, "close": bar.close}
            for pair, bar in progress.newest.items()
        },
    }


def _print(console: Console, payload: dict[str, Any]) -> None:
    console.print(
        f"{payload['venue']} {payload['timeframe']}: {payload['stored']:,} candles stored, "
        f"{payload['published']:,} published to the stream ({payload['stream']})",
        highlight=False,
    )
    console.print(
        f"{payload['filled_by_rest']:,} came by REST, {payload['revised']:,} were revised; "
        f"{payload['messages']:,} messages, {payload['connections']:,} connections, "
        f"{payload['seconds']:.0f} s",
        highlight=False,
    )
    for pair, newest in payload["newest"].items():
        console.print(
            f"{pair}: newest {newest['open_time']:%Y-%m-%d %H:%M} UTC, close {newest['close']:,g}",
            highlight=False,
        )
    if payload["problem"]:
        console.print(f"Not done: {payload['problem']}", style="yellow")
