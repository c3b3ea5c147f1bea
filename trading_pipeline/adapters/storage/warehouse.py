"""SQL over the lake: DuckDB views that follow the manifests, never a glob."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trading_pipeline.core.errors import DataError

if TYPE_CHECKING:
    import duckdb

    from trading_pipeline.adapters.storage.lake import Lake


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


def define_view(connection: "duckdb.DuckDBPyConnection", lake: "Lake", table: str) -> None:
    """Define the view of one table on ``connection``."""
    connection.execute(f'CREATE OR REPLACE VIEW "{table}" AS {_select(lake, table)}')


def publish_marts(
    connection: "duckdb.DuckDBPyConnection", lake: "Lake", tables: Sequence[str]
) -> dict[str, int]:
    """Copy ``tables`` of the lake into the database of ``connection``; return rows per table."""
    connection.execute("SET TimeZone = 'UTC'")
    rows: dict[str, int] = {}
    for table in tables:
        connection.execute(f'CREATE TABLE "{table}" AS {_select(lake, table)}')
        counted = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        rows[table] = int(counted[0]) if counted else 0
    return rows


def _select(lake: "Lake", table: str) -> str:
    files = lake.files(table)
    if not files:
        raise DataError(
            f"the lake has no table {table!r}; it has {', '.join(lake.tables()) or 'none'}"
        )
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    # A month is a name, not a date, and a symbol such as 1INCH-USDT must stay text.
    return (
        f"SELECT * FROM read_parquet([{listed}], hive_partitioning = true, "
        "hive_types_autocast = false, union_by_name = true)"
    )


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
