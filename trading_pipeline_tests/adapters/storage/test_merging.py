"""Merging against a slow loop over a dictionary of rows."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.adapters.storage.addresses import Address
from trading_pipeline.adapters.storage.merging import merge

_SCHEMA = {"at": pl.Datetime("us", "UTC"), "price": pl.Float64, "name": pl.String}
_START = datetime(2024, 1, 1, tzinfo=UTC)
_ROW = st.tuples(
    st.integers(0, 12).map(lambda n: _START + timedelta(hours=n)),
    st.sampled_from([0.0, -0.0, 1.5, None, float("nan")]),
    st.sampled_from(["a", "b", None]),
)


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _told_apart(rows: list[tuple[object, ...]]) -> list[str]:
    # As text -0.0 differs from 0.0, and NaN equals itself.
    return [f"{row[0]} {row[1]!r} {row[2]!r}" for row in rows]


def _by_loop(rows: list[tuple[object, ...]], keys: tuple[int, ...]) -> list[tuple[object, ...]]:
    found = {}
    for row in rows:
        found[tuple(row[key] or "" for key in keys)] = row
    return [found[key] for key in sorted(found)]


@settings(max_examples=150, deadline=None)
@given(st.lists(_ROW, max_size=12), st.lists(_ROW, max_size=6), st.booleans(), st.booleans())
def test_merging_equals_a_loop_and_tells_how_much_stays(stored, new, is_ordered, has_two_keys):
    keys = (0, 2) if has_two_keys else (0,)
    stored = _by_loop(stored, keys) if is_ordered else stored
    names = [list(_SCHEMA)[key] for key in keys]
    merged = merge(_frame(stored), _frame(new), names, Address("table"))
    expected = _told_apart(_by_loop([*stored, *new], keys))
    assert _told_apart(merged.rows.rows()) == expected
    n_same = 0
    for before, after in zip(_told_apart(stored), expected, strict=False):
        if before != after:
            break
        n_same += 1
    assert merged.n_kept == n_same


def test_rows_of_a_new_partition_are_ordered_and_none_is_kept():
    rows = [(_START + timedelta(hours=n), float(n), "a") for n in (3, 1, 2, 1)]
    merged = merge(None, _frame(rows), ["at"], Address("table"))
    assert merged.rows["price"].to_list() == [1.0, 2.0, 3.0]
    assert merged.n_kept == 0
