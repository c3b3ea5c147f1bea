"""``trading data sql``: ask the lake in SQL."""

import json
import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import StorageError

if TYPE_CHECKING:
    import polars as pl

_SHOWN_ROWS = 20
_WIDEST = 28
# Between two columns: a blank, and the line that the box draws with another.
_BETWEEN = 2


@click.command("sql")
@click.argument("query", required=False)
@click.option("--limit", type=click.IntRange(min=1), help="Rows at most; shown are 20 by default.")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write CSV there."
)
@json_option
@click.pass_obj
def sql(
    context: CliContext, query: str | None, limit: int | None, csv_file: Path | None, as_json: bool
) -> None:
    """Answer one SELECT over the tables of the lake (DuckDB's dialect), read-only.

    Without a query it lists the tables and their columns. With --json and --csv all rows come,
    unless --limit says otherwise.
    """
    if query is None:
        if csv_file is not None:
            raise click.UsageError("--csv needs a query")
        tables = _tables(context.settings)
        emit({"tables": tables}, lambda console: _show_tables(console, tables), as_json=as_json)
        return
    from trading_pipeline.adapters.storage.queries import LakeQueries

    is_whole = as_json or csv_file is not None
    most = limit if is_whole or limit is not None else _SHOWN_ROWS
    # One row more tells whether there are more.
    asked = most + 1 if most is not None and not is_whole else most
    rows = LakeQueries(wiring.lake(context.settings)).answer(query, limit=asked)
    if csv_file is not None:
        _write_csv(rows, csv_file)
    if as_json:
        payload = {"columns": rows.columns, "rows": _plain_rows(rows), "n_rows": rows.height}
        emit(payload, lambda _: None, as_json=True)
    elif csv_file is not None:
        click.echo(f"{rows.height:,} rows in {csv_file}")
    else:
        emit(None, lambda console: _show(console, rows, most), as_json=False)


def _tables(settings: Settings) -> list[dict[str, Any]]:
    """Return each table with partitions, rows and columns, from the manifests alone."""
    from trading_pipeline.adapters.storage.coverage import COVERAGE, COVERAGE_SCHEMA
    from trading_pipeline.adapters.storage.queries import LakeQueries

    lake, found = wiring.lake(settings), []
    for name in LakeQueries(lake).tables():
        addresses = list(lake.addresses("candles" if name == COVERAGE else name))
        manifests = [m for address in addresses if (m := lake.manifest(address)) is not None]
        columns = {column: None for manifest in manifests for column in manifest.columns}
        columns |= {column: None for address in addresses for column, _ in address.columns}
        n_rows = sum(manifest.n_rows for manifest in manifests)
        if name == COVERAGE:
            columns, n_rows = dict.fromkeys(COVERAGE_SCHEMA), len(manifests)
        found.append(
            {"table": name, "partitions": len(manifests), "rows": n_rows, "columns": list(columns)}
        )
    return found


def _show_tables(console: Console, tables: list[dict[str, Any]]) -> None:
    if not tables:
        console.print("The lake holds no table yet: trading demo, or trading data history")
        return
    table = Table(title="Tables", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("columns")
    for row in tables:
        table.add_row(row["table"], f"{row['rows']:,}", ", ".join(row["columns"]))
    console.print(table)
    console.print('Ask with: trading data sql "select ..."', highlight=False)


def _show(console: Console, rows: "pl.DataFrame", most: int | None) -> None:
    shown = rows if most is None else rows.head(most)
    cells = {name: [_text(value) for value in shown[name].to_list()] for name in shown.columns}
    widths = {
        name: min(_WIDEST, max(len(text) for text in (name, *texts)))
        for name, texts in cells.items()
    }
    fitting = _fitting(widths, console.width)
    table = Table(box=SIMPLE_HEAD, padding=(0, _BETWEEN - 1, 0, 0), pad_edge=False)
    for name in fitting:
        is_number = shown.schema[name].is_numeric()
        right = "right" if is_number else "left"
        table.add_column(name, justify=right, no_wrap=True, max_width=widths[name])  # type: ignore[arg-type]
    for at in range(shown.height):
        table.add_row(*(cells[name][at] for name in fitting))
    console.print(table, markup=False, highlight=False)
    hidden = [name for name in shown.columns if name not in fitting]
    if hidden:
        console.print(f"not shown, for want of room: {', '.join(hidden)}", highlight=False)
    is_cut = rows.height > shown.height
    more = f"the first {shown.height:,} rows; --limit shows more" if is_cut else ""
    console.print(more or f"{shown.height:,} rows", highlight=False)


def _fitting(widths: dict[str, int], room: int) -> list[str]:
    fitting: list[str] = []
    used = 1
    for name, width in widths.items():
        used += width + _BETWEEN
        if fitting and used > room:
            break
        fitting.append(name)
    return fitting


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def _write_csv(rows: "pl.DataFrame", path: Path) -> None:
    import polars as pl

    nested = [name for name, kind in rows.schema.items() if kind.is_nested() or kind == pl.Object]
    texts = [
        pl.Series(
            name,
            [None if v is None else json.dumps(_plain(v)) for v in rows[name].to_list()],
            pl.String,
        )
        for name in nested
    ]
    try:
        rows.with_columns(texts).write_csv(path)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({error}); name a file in a folder that exists",
            path=str(path),
        ) from error


def _plain_rows(rows: "pl.DataFrame") -> list[dict[str, Any]]:
    return [
        {name: _plain(value) for name, value in row.items()} for row in rows.iter_rows(named=True)
    ]


def _plain(value: object) -> object:
    """Return a value as JSON has it: no number where it is not finite, seconds for a duration."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    return str(value)
