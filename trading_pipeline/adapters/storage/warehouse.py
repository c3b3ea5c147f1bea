"""SQL over the lake: DuckDB views that follow the manifests, never a glob."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trading_pipeline.core.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from trading_pipeline.adapters.storage.lake import Lake, PartFile


def connect(lake: "Lake", tables: Sequence[str] | None = None) -> "duckdb.DuckDBPyConnection":
    """Return an in-memory connection with a view for every table of the lake.

    An in-memory database takes no file lock, so that any number of readers and writers may work.
    Partition columns (venue, symbol, timeframe, month) are columns of the views.

    Parameters
    ----------
    lake : Lake
    tables : sequence of str, optional
        Only these; default all that have rows on disk.

    Raises
    ------
    LakeCorruptionError
        If a part is not what was written.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for table in lake.tables() if tables is None else tables:
        define_view(connection, lake, table)
    return connection


def connect_locked(
    lake: "Lake",
    tables: Sequence[str],
    frames: "Mapping[str, pl.DataFrame] | None" = None,
    *,
    is_sorted: bool = False,
) -> "duckdb.DuckDBPyConnection":
    """Return a connection on which SQL of anybody may run: it reads ``tables`` and nothing else.

    Views stand first; then the files behind them are the only ones that can be opened, network,
    extensions and other databases are out of reach, and none of that can be changed again.
    ``frames`` are tables beside those of the lake.

    DuckDB 2.0.0 answers an ASOF LEFT JOIN wrongly, with nulls, where two of its equal columns are
    partition columns of the files; views that sort (``is_sorted``) make these ordinary columns.

    Raises
    ------
    LakeCorruptionError
        If a part is not what was written.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    allowed: list[str] = []
    for table in tables:
        files = lake.part_files(table)
        select = _select(lake, table, files)
        select = f"SELECT * FROM ({select}) ORDER BY 1" if is_sorted else select
        connection.execute(f'CREATE VIEW "{table}" AS {select}')
        allowed.extend(_quoted(file.path) for file in files)
    for name, frame in (frames or {}).items():
        connection.register(name, frame.to_arrow())
    connection.execute(f"SET allowed_paths = [{', '.join(allowed)}]")
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        connection.execute(f"SET {setting} = false")
    # Without it a query sees the variables of the Python code around it.
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def define_view(connection: "duckdb.DuckDBPyConnection", lake: "Lake", table: str) -> None:
    """Define the view of one table on ``connection``."""
    connection.execute(
        f'CREATE OR REPLACE VIEW "{table}" AS {_select(lake, table, lake.part_files(table))}'
    )


def publish_marts(
    connection: "duckdb.DuckDBPyConnection",
    lake: "Lake",
    tables: Sequence[str],
    frames: "Mapping[str, pl.DataFrame] | None" = None,
) -> dict[str, int]:
    """Copy ``tables`` of the lake, and ``frames``, into a database; return rows per table."""
    connection.execute("SET TimeZone = 'UTC'")
    rows: dict[str, int] = {}
    for table in tables:
        select = _select(lake, table, lake.part_files(table))
        connection.execute(f'CREATE TABLE "{table}" AS {select}')
        # All rows: DuckDB 2.0 lets nothing else happen on the connection before the last one.
        ((counted,),) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchall()
        rows[table] = int(counted)
    for name, frame in (frames or {}).items():
        connection.register("_frame", frame.to_arrow())
        connection.execute(f'CREATE TABLE "{name}" AS FROM _frame')
        connection.unregister("_frame")
        rows[name] = frame.height
    return rows


def _select(lake: "Lake", table: str, files: "Sequence[PartFile]") -> str:
    if not files:
        raise DataError(
            f"the lake has no table {table!r}; it has {', '.join(lake.tables()) or 'none'}"
        )
    # DuckDB would bring two scales of DECIMAL to one that no float64 is nearest to any more.
    by_scales: dict[tuple[tuple[str, int], ...], list[Path]] = {}
    for file in files:
        by_scales.setdefault(tuple(sorted(file.part.decimals.items())), []).append(file.path)
    return " UNION ALL BY NAME ".join(
        _select_files(paths, [name for name, _ in scales]) for scales, paths in by_scales.items()
    )


def _select_files(paths: Sequence[Path], decimals: Sequence[str]) -> str:
    listed = ", ".join(map(_quoted, paths))
    casts = ", ".join(f'"{name}"::DOUBLE AS "{name}"' for name in decimals)
    # A month is a name, not a date, and a symbol such as 1INCH-USDT must stay text.
    return (
        f"SELECT * {f'REPLACE ({casts})' if casts else ''} FROM read_parquet([{listed}], "
        "hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    )


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def read_only(path: Path) -> "duckdb.DuckDBPyConnection":
    """Open a published warehouse for reading.

    Raises
    ------
    DataError
        If it was never published.
    """
    import duckdb

    if not path.is_file():
        raise DataError(f"{path} was never published; materialise performance_summary first")
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    return connection
