"""Questions to the lake in SQL: read-only, with errors that say what to type instead."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from trading_pipeline.adapters.storage.coverage import COVERAGE, coverage
from trading_pipeline.adapters.storage.warehouse import connect_locked
from trading_pipeline.core.errors import QueryError

if TYPE_CHECKING:
    import duckdb

    from trading_pipeline.adapters.storage.lake import Lake

Parameters: TypeAlias = Sequence[object] | Mapping[str, object]

_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_MISSING_COLUMN = re.compile(r"(?:column named|[Cc]olumn) \"([^\"]+)\"")
_ASOF = re.compile(r"\basof\b", re.IGNORECASE)
_PART = re.compile(r'"([^"]*/(part-[^/"]+\.parquet))')
# Without a table in it, only these need every view.
_ABOUT_TABLES = re.compile(
    r"\bshow\b|information_schema|duckdb_(?:tables|views|columns)", re.IGNORECASE
)


class LakeQueries:
    """SQL over the tables of a lake, and over ``coverage``, a row per month of candles.

    Every question gets a connection of its own, so that it sees the newest manifests; only the
    tables that it names are verified and opened. Where a writer replaces a part before it is read,
    the question is asked once more, of the newest manifests.
    """

    def __init__(self, lake: "Lake") -> None:
        self._lake = lake
        self._made: Mapping[str, Callable[[Lake], pl.DataFrame]] = {COVERAGE: coverage}

    def tables(self) -> list[str]:
        """Return the names that a query may use."""
        stored = self._lake.tables()
        made = [COVERAGE] if "candles" in stored and COVERAGE not in stored else []
        return sorted([*stored, *made])

    def answer(
        self, sql: str, parameters: Parameters | None = None, *, limit: int | None = None
    ) -> pl.DataFrame:
        """Return the rows of one SELECT (also DESCRIBE, SUMMARIZE, SHOW), at most ``limit``.

        Parameters
        ----------
        sql : str
            One statement in DuckDB's dialect; ``?`` or ``$name`` where ``parameters`` go.
        limit : int, optional
            Rows at most, at least 1.

        Raises
        ------
        QueryError
            If it is no single SELECT, is not understood, or names what does not exist; the
            message names the nearest table or column. Also if parts were replaced under it twice.
        LakeCorruptionError
            If a part of a table that it names is not what was written.
        """
        import duckdb

        try:
            return self._asked(sql, parameters, limit)
        except duckdb.Error as error:
            if not _is_replaced(error, sql, parameters):
                raise
        try:
            return self._asked(sql, parameters, limit)
        except duckdb.Error as error:
            if not _is_replaced(error, sql, parameters):
                raise
            raise QueryError(
                "a part of the lake was replaced while the query read it, twice; ask again, or "
                "for months that nobody writes at the moment"
            ) from error

    def _asked(self, sql: str, parameters: Parameters | None, limit: int | None) -> pl.DataFrame:
        import duckdb

        known = self.tables()
        named = [name for name in known if re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE)]
        if not named and _ABOUT_TABLES.search(sql):
            named = known
        stored = [name for name in named if name not in self._made]
        frames = {name: make(self._lake) for name, make in self._made.items() if name in named}
        is_asof = _ASOF.search(sql) is not None
        with connect_locked(self._lake, stored, frames, is_sorted=is_asof) as connection:
            try:
                _check_statement(connection, sql)
                relation = connection.sql(sql, params=parameters)
                return _frame(relation if limit is None else relation.limit(limit))
            except duckdb.Error as error:
                if _is_replaced(error, sql, parameters):
                    raise
                raise self._explained(error, connection, known, named) from error

    def _explained(
        self,
        error: Exception,
        connection: "duckdb.DuckDBPyConnection",
        known: list[str],
        named: list[str],
    ) -> QueryError:
        text = re.sub(r"^[A-Za-z ]+ Error: ", "", str(error))
        first = text.partition("\n")[0]
        if match := _MISSING_TABLE.search(first):
            if not known:
                return QueryError(f"no table {match.group(1)!r}; the lake holds none yet")
            return QueryError.unknown_name("table", match.group(1), known)
        if type(error).__name__ == "BinderException" and (match := _MISSING_COLUMN.search(first)):
            columns = _columns(connection, named)
            if match.group(1) not in columns:
                return QueryError.unknown_name("column", match.group(1), columns)
        if type(error).__name__ == "PermissionException":
            return QueryError(
                "a query reads tables of the lake only: no files, no network, no other database. "
                f"The tables: {', '.join(known) or 'none yet'}"
            )
        return QueryError(text.strip())


def _is_replaced(error: Exception, sql: str, parameters: Parameters | None) -> bool:
    """Whether DuckDB misses a part that a view names, not the question."""
    # DuckDB calls a file that is gone one that may not be read, once others may not.
    if type(error).__name__ not in {"IOException", "PermissionException"}:
        return False
    found = _PART.search(str(error))
    if found is None or found.group(2) in f"{sql} {parameters}":
        return False
    return not Path(found.group(1)).exists()


def _check_statement(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    import duckdb

    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        given = " and ".join(kind.name for kind in kinds) or "nothing"
        raise QueryError(
            f"one SELECT is answered (also DESCRIBE, SUMMARIZE or SHOW TABLES), was {given}"
        )


def _columns(connection: "duckdb.DuckDBPyConnection", tables: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for table in tables:
        described = connection.sql(f'DESCRIBE "{table}"').fetchall()
        found.update(dict.fromkeys(str(row[0]) for row in described))
    return list(found)


def _frame(relation: "duckdb.DuckDBPyRelation") -> pl.DataFrame:
    """Return a relation as polars has it: intervals as durations, sums of integers as integers."""
    names, kinds = relation.columns, [str(kind) for kind in relation.types]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise QueryError(f"name the columns apart (AS), these come twice: {', '.join(repeated)}")
    if "INTERVAL" in kinds:
        selected = (
            f"epoch_us({_column(name)}) AS {_column(name)}" if kind == "INTERVAL" else _column(name)
            for name, kind in zip(names, kinds, strict=True)
        )
        relation = relation.project(", ".join(selected))
    try:
        frame = pl.from_arrow(relation.to_arrow_table())
    except pl.exceptions.PolarsError as error:
        raise QueryError(f"the answer has a type without a polars column: {error}") from error
    assert isinstance(frame, pl.DataFrame)
    casts: list[Any] = [
        pl.col(name).cast(pl.Duration("us"))
        for name, kind in zip(names, kinds, strict=True)
        if kind == "INTERVAL"
    ]
    casts += [
        _integer(frame[name])
        for name, kind in zip(names, kinds, strict=True)
        if kind in {"HUGEINT", "UHUGEINT"}
    ]
    return frame.with_columns(casts)


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _integer(values: pl.Series) -> pl.Series:
    # DuckDB adds integers in 128 bits; nearly always 64 hold the sum.
    short = values.cast(pl.Int64, strict=False)
    return short if short.null_count() == values.null_count() else values
