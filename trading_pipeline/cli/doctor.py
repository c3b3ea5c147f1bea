"""``trading doctor``: examine what the pipeline needs."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.config import NO_PROFILE, Settings
from trading_pipeline.core.errors import ConfigError, TradingPipelineError


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found; ``doubtful`` passed, but a person should look at it."""

    what: str
    passed: bool
    detail: str
    doubtful: bool = False


class _Doubt(str):
    """What an examination says that passed with a doubt."""

    __slots__ = ()


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Examine configuration, storage, exchange, clock and Dagster; exit 1 if anything is wrong."""
    findings = list(_findings(ctx.obj))
    payload = [
        {"what": f.what, "passed": f.passed, "doubtful": f.doubtful, "detail": f.detail}
        for f in findings
    ]
    emit(payload, lambda console: _show(console, findings), as_json=as_json)
    if not all(finding.passed for finding in findings):
        ctx.exit(1)


def _findings(context: CliContext) -> Iterator[Finding]:
    try:
        settings = context.settings
    except ConfigError as error:
        yield Finding("configuration", passed=False, detail=error.message)
        return
    symbols = ", ".join(symbol.pair for symbol in settings.market.enabled_symbols)
    profile = settings.profile or NO_PROFILE
    yield Finding(
        "configuration",
        passed=True,
        detail=f"profile {profile}; {settings.market.venue}; {symbols}",
    )
    venue = wiring.VenueAccess(settings)
    try:
        for what, examine in _examinations(settings, venue):
            yield _examined(what, examine)
    finally:
        venue.close()


def _examinations(
    settings: Settings, venue: wiring.VenueAccess
) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "storage", lambda: _storage(settings)
    yield "lake", lambda: _lake(settings)
    yield "ledger", lambda: _ledger(settings)
    yield "live data", lambda: _live_data(settings)
    yield "exchange", lambda: _exchange(settings, venue)
    yield "clock", lambda: _clock(settings, venue)
    yield "signals", lambda: _signals(settings)
    yield "dagster", lambda: _dagster(settings)


def _examined(what: str, examine: Callable[[], str]) -> Finding:
    try:
        detail = examine()
        return Finding(what, passed=True, detail=detail, doubtful=isinstance(detail, _Doubt))
    except TradingPipelineError as error:
        return Finding(what, passed=False, detail=error.message)
    except OSError as error:
        return Finding(what, passed=False, detail=str(error))


def _storage(settings: Settings) -> str:
    root = settings.storage_root
    root.mkdir(parents=True, exist_ok=True)
    probe = root / f".doctor-{os.getpid()}"
    probe.write_bytes(b"probe")
    probe.unlink()
    return f"{root} is writable, {_free_gb(root):.1f} GB free"


def _free_gb(root: Path) -> float:
    import shutil

    return shutil.disk_usage(root).free / 1e9


def _lake(settings: Settings) -> str:
    lake = wiring.lake(settings)
    tables = lake.tables()
    n_files = sum(len(lake.files(table)) for table in tables)
    return f"{len(tables)} tables, {n_files} files, every SHA-256 as written"


def _ledger(settings: Settings) -> str:
    with wiring.ledger(settings) as ledger:
        account = wiring.account(settings)
        pending = len(wiring.waiting_signals(settings, ledger))
        switch = wiring.kill_switch(settings).is_engaged()
        if switch is not False:
            raise ConfigError(f"the kill switch {settings.storage_root / 'KILL_SWITCH'} is engaged")
        return f"{ledger.address}, account {account.name}, {pending} signals wait"


def _live_data(settings: Settings) -> str:
    from contextlib import closing

    from trading_pipeline.core.streams import CANDLES
    from trading_pipeline.market_data.candle_events import CandleEvent

    with closing(wiring.event_stream(settings)) as stream, closing(wiring.cache(settings)) as cache:
        newest = stream.newest(CANDLES, limit=1)
        cache.put("doctor", b"probe", 60)
        if cache.get("doctor") != b"probe":
            raise ConfigError(f"the cache ({wiring.stream_label(settings)}) forgets at once")
        cache.delete("doctor")
    where = wiring.stream_label(settings)
    if not newest:
        return f"{where}; no candle was collected yet (trading data collect)"
    candle = CandleEvent.parse(newest[0].payload)
    opened = candle.bar.open_time
    return f"{where}; newest collected: {candle.series.symbol} {opened:%Y-%m-%d %H:%M} UTC"


def _exchange(settings: Settings, venue: wiring.VenueAccess) -> str:
    source = venue.source()
    known, now = wiring.universe(settings), venue.clock().now()
    # A venue has no rules for what it does not list any more, or not yet.
    tradable = known.tradable(now)
    rules = [source.instrument(symbol) for symbol in tradable]
    if not rules:
        source.now()
    said = [f"{rule.symbol} tick {rule.tick_size}" for rule in rules]
    for symbol in known.symbols:
        if symbol not in tradable:
            is_gone = known.listing(symbol).is_delisted(now)
            said.append(f"{symbol} is {'delisted' if is_gone else 'not listed yet'}, not asked")
    return f"{source.name} answers; {', '.join(said)}"


def _clock(settings: Settings, venue: wiring.VenueAccess) -> str:
    market = settings.market
    asked = datetime.now(UTC)
    there = venue.source().now()
    if market.now is not None or settings.is_simulated or market.candle_files:
        return f"the market stands at {there:%Y-%m-%d %H:%M:%S} UTC"
    answered = datetime.now(UTC)
    # The venue looked at its clock somewhere between the question and the answer.
    doubt_s = (answered - asked).total_seconds() / 2
    skew_s = (there - asked).total_seconds() - doubt_s
    said = (
        f"the exchange's clock less this machine's: {skew_s:+.2f} s (within {doubt_s:.2f} s); "
        f"candles are closed by the exchange's, {market.close_grace_s:g} s later"
    )
    if abs(skew_s) >= market.timeframe.seconds:
        raise ConfigError(f"{said}. That is a whole candle or more: synchronise it (NTP)")
    if abs(skew_s) > market.max_clock_skew_s:
        return _Doubt(
            f"{said}. More than {market.max_clock_skew_s:g} s (market.max_clock_skew_s): sensors "
            "wake at the wrong moment, synchronise it (NTP)"
        )
    return said


def _signals(settings: Settings) -> str:
    rule = wiring.aggregation(settings)
    weights = ", ".join(f"{name} {weight:g}" for name, weight in rule.weights.items())
    return f"{rule.method}: {weights}; threshold {rule.threshold:g}"


def _dagster(settings: Settings) -> str:
    from trading_pipeline.cli.instance import dagster_home, open_instance
    from trading_pipeline.definitions import build_definitions

    repository = build_definitions(settings).get_repository_def()
    with open_instance(settings) as instance:
        n_runs = instance.get_runs_count()
    n_assets = len(repository.asset_graph.get_all_asset_keys())
    return f"{n_assets} assets load, {n_runs} runs recorded in {dagster_home(settings)}"


def _show(console: Console, findings: list[Finding]) -> None:
    table = Table(show_header=False, box=None, padding=(0, 1))
    for finding in findings:
        mark = "[green]ok[/]" if finding.passed else "[bold red]wrong[/]"
        mark = "[bold yellow]doubt[/]" if finding.doubtful else mark
        table.add_row(mark, finding.what, finding.detail)
    console.print(table)
