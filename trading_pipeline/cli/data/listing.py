"""``trading data list``: what the lake holds."""

from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.config import Settings


@click.command("list")
@json_option
@click.pass_obj
def list_data(context: CliContext, as_json: bool) -> None:
    """List the candles and tables that the lake holds."""
    settings = context.settings
    candles, tables = holdings(settings), _tables(settings)

    def show(console: Console) -> None:
        show_candles(console, candles)
        table = Table(title="Tables", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("table", "partitions", "rows", "MB"):
            table.add_column(name, justify="left" if name == "table" else "right")
        for row in tables:
            size = f"{row['bytes'] / 1e6:.2f}"
            table.add_row(row["table"], str(row["partitions"]), f"{row['rows']:,}", size)
        console.print(table)

    payload = {"profile": settings.profile, "candles": candles, "tables": tables}
    emit(payload, show, as_json=as_json)


def holdings(settings: Settings) -> list[dict[str, Any]]:
    """Return a row for each series of validated candles in the lake."""
    lake = wiring.lake(settings)
    by_series: dict[tuple[str, str, str], dict[str, Any]] = {}
    for address in lake.addresses("candles"):
        columns = dict(address.columns)
        manifest = lake.manifest(address)
        if manifest is None:
            continue
        key = (columns["venue"], columns["symbol"], columns["timeframe"])
        empty = {"first": None, "last": None, "months": 0, "candles": 0}
        counts = {"missing_explained": 0, "missing_unexplained": 0, "dropped": 0}
        row = by_series.setdefault(
            key, {"venue": key[0], "symbol": key[1], "timeframe": key[2], **empty, **counts}
        )
        row["months"] += 1
        row["candles"] += manifest.n_rows
        row["first"] = row["first"] or manifest.first
        row["last"] = manifest.last or row["last"]
        row["missing_explained"] += manifest.notes["explained"]
        row["missing_unexplained"] += manifest.notes["unexplained"]
        row["dropped"] += sum(manifest.notes["dropped"].values())
    return list(by_series.values())


def _tables(settings: Settings) -> list[dict[str, Any]]:
    lake = wiring.lake(settings)
    rows = []
    for name in lake.tables():
        manifests = [m for a in lake.addresses(name) if (m := lake.manifest(a)) is not None]
        rows.append(
            {
                "table": name,
                "partitions": len(manifests),
                "rows": sum(m.n_rows for m in manifests),
                "bytes": sum(part.n_bytes for m in manifests for part in m.parts),
            }
        )
    return rows


def show_candles(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print the rows of :func:`holdings`."""
    if not rows:
        console.print("The lake holds no candles yet: trading demo, or trading data history")
        return
    # Without padding, so that it fits the 80 columns of a plain terminal.
    table = Table(title="Candles", title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in ("symbol", "bar", "first (UTC)", "last (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("months", "candles", "gaps", "unexpl.", "dropped"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        missing = row["missing_explained"] + row["missing_unexplained"]
        table.add_row(
            row["symbol"],
            row["timeframe"],
            _day(row["first"]),
            _day(row["last"]),
            str(row["months"]),
            f"{row['candles']:,}",
            f"{missing:,}",
            f"{row['missing_unexplained']:,}",
            f"{row['dropped']:,}",
        )
    console.print(table)
    venues = ", ".join(sorted({row["venue"] for row in rows}))
    console.print(f"venue {venues}; gaps: missing bars, of which unexpl. have no explanation")


def _day(instant: str | None) -> str:
    return "none" if instant is None else instant[:10]
