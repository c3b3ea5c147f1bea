"""Leakage detection: what a function says about the past must not change when time goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from trading_pipeline.core.candles import BoolArray
from trading_pipeline.core.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Leak:
    """A column whose past changed when later rows were added.

    Parameters
    ----------
    column : str
        Name of the column; the key's name if rows appeared or vanished.
    cut : int
        Rows of the input that were known.
    n_rows : int
        Rows that changed, appeared or vanished.
    first : datetime
        Key of the first of them.
    then, later : str
        Its value with the known rows only, and with all rows; ``absent`` where there was no row.
    change : str
        What was done to the rows after the cut: ``added``, or ``replaced by noise``.
    """

    column: str
    cut: int
    n_rows: int
    first: datetime
    then: str
    later: str
    change: str = "added"

    def __str__(self) -> str:
        return (
            f"{self.column} changes in {self.n_rows} rows when rows after {self.cut} are "
            f"{self.change}; "
            f"first at {self.first.isoformat()}: {self.then} became {self.later}"
        )


def prefix_replay(
    function: Callable[[pl.DataFrame], pl.DataFrame],
    frame: pl.DataFrame,
    cuts: Sequence[int],
    *,
    key: str = "open_time",
) -> tuple[Leak, ...]:
    """Compare ``function(frame[:cut])`` with the same rows of ``function(frame)``, bit for bit.

    Parameters
    ----------
    function : callable
        From a frame to a frame that has ``key``; rows may be left out, such as a warm-up.
    frame : DataFrame
        Ascending and unique by ``key``.
    cuts : sequence of int
        Numbers of leading rows to replay, each in 1 .. n_rows.
    key : str
        Column of time, in both frames.

    Returns
    -------
    tuple of Leak
        By cut, then by column; empty if no value of the past depends on the future.

    Raises
    ------
    ConfigError
        If there is no cut, or one is out of range.
    DataError
        If ``function`` answers with other columns or without ``key``.

    Notes
    -----
    It shows leaks from rows after a cut. What leaks within every cut alike, such as a candle that
    carries a later price, needs another test.
    """
    _refuse_cuts(frame, cuts)
    later = _answer(function, frame, key)
    leaks: list[Leak] = []
    for cut in cuts:
        known = frame.head(cut)
        then = _answer(function, known, key)
        if then.schema != later.schema:
            raise DataError(
                f"with {cut} rows the columns were {dict(then.schema)}, with all rows "
                f"{dict(later.schema)}; answer with the same columns and types always"
            )
        past = later.filter(pl.col(key) <= known[key][-1])
        leaks.extend(_compare(then, past, key, cut))
    return tuple(leaks)


def future_perturbation(
    function: Callable[[pl.DataFrame], pl.DataFrame],
    frame: pl.DataFrame,
    cuts: Sequence[int],
    *,
    key: str = "open_time",
    seed: int = 0,
) -> tuple[Leak, ...]:
    """Replace the rows after each cut by noise, and compare what ``function`` says before it.

    It finds what :func:`prefix_replay` may not: a function that reads the future only where there
    is one, such as a window that is centred except at the end.

    Parameters
    ----------
    function, frame, cuts, key
        As in :func:`prefix_replay`.
    seed : int
        Of the noise: every later row's floats times one factor between 1/2 and 2, so that candles
        stay candles.

    Returns
    -------
    tuple of Leak
        By cut, then by column; ``then`` is the value with the real rows.

    Raises
    ------
    ConfigError
        If there is no cut, or one is out of range.
    DataError
        If ``function`` answers with other columns or without ``key``.
    """
    _refuse_cuts(frame, cuts)
    real = _answer(function, frame, key)
    draws = np.random.default_rng(seed)
    leaks: list[Leak] = []
    for cut in cuts:
        factors = np.exp2(draws.uniform(-1.0, 1.0, frame.height))
        factors[:cut] = 1.0
        floats = [name for name, kind in frame.schema.items() if kind.is_float() and name != key]
        noisy = frame.with_columns(pl.col(name) * pl.lit(pl.Series(factors)) for name in floats)
        known = pl.col(key) <= frame[key][cut - 1]
        then, later = real.filter(known), _answer(function, noisy, key).filter(known)
        leaks.extend(
            replace(leak, change="replaced by noise") for leak in _compare(then, later, key, cut)
        )
    return tuple(leaks)


def find_leaks(
    function: Callable[[pl.DataFrame], pl.DataFrame],
    frame: pl.DataFrame,
    *,
    key: str = "open_time",
    cuts: Sequence[int] | None = None,
) -> tuple[Leak, ...]:
    """Replay prefixes and perturb the future at :func:`thorough_cuts`, over every column.

    Parameters
    ----------
    function, frame, key
        As in :func:`prefix_replay`.
    cuts : sequence of int, optional
        Other cuts.

    Returns
    -------
    tuple of Leak
        Of the replay, then of the perturbation; empty if no value of the past depends on what
        follows it.
    """
    chosen = thorough_cuts(frame.height) if cuts is None else cuts
    replayed = prefix_replay(function, frame, chosen, key=key)
    return replayed + future_perturbation(function, frame, chosen, key=key)


def thorough_cuts(n_rows: int, n_spread: int = 8, run: int = 30) -> tuple[int, ...]:
    """Return cuts that are spread, and ``run`` in a row in the middle.

    A leak that shows at some cuts only, such as a backward fill or a day that is not over, is
    met by cuts in a row.

    Examples
    --------
    >>> thorough_cuts(100, 4, 3)
    (24, 49, 50, 51, 74, 99)
    """
    middle = max(1, (n_rows - run) // 2 + 1)
    consecutive = range(middle, min(middle + run, n_rows))
    return tuple(sorted({*default_cuts(n_rows, n_spread), *consecutive}))


def _refuse_cuts(frame: pl.DataFrame, cuts: Sequence[int]) -> None:
    if not cuts or any(not 1 <= cut <= frame.height for cut in cuts):
        raise ConfigError(f"cuts must lie in 1 .. {frame.height}, were {list(cuts)[:20]}")


def default_cuts(n_rows: int, n_cuts: int = 8) -> tuple[int, ...]:
    """Return up to ``n_cuts`` numbers of leading rows, evenly spread, the last one ``n_rows - 1``.

    Examples
    --------
    >>> default_cuts(101, 4)
    (25, 50, 75, 100)
    """
    if n_rows < 2 or n_cuts < 1:
        raise ConfigError(f"a replay needs 2 rows and 1 cut, had {n_rows} and {n_cuts}")
    spread = ((n_rows - 1) * number // n_cuts for number in range(1, n_cuts + 1))
    return tuple(dict.fromkeys(cut for cut in spread if cut))


def _answer(
    function: Callable[[pl.DataFrame], pl.DataFrame], frame: pl.DataFrame, key: str
) -> pl.DataFrame:
    answer = function(frame)
    if key not in answer.columns:
        raise DataError(f"a replayed frame needs the column {key}, had {answer.columns}")
    return answer


def _compare(then: pl.DataFrame, later: pl.DataFrame, key: str, cut: int) -> list[Leak]:
    if not then[key].equals(later[key]):
        return [_other_rows(then, later, key, cut)]
    leaks = []
    for name in later.columns:
        differs = ~same_bits(then[name], later[name])
        if differs.any():
            row = int(np.argmax(differs))
            leaks.append(
                Leak(
                    name,
                    cut,
                    int(differs.sum()),
                    then[key][row],
                    repr(then[name][row]),
                    repr(later[name][row]),
                )
            )
    return leaks


def _other_rows(then: pl.DataFrame, later: pl.DataFrame, key: str, cut: int) -> Leak:
    only_then = then.join(later, on=key, how="anti")[key]
    only_later = later.join(then, on=key, how="anti")[key]
    odd = pl.concat([only_then, only_later]).sort()
    if odd.is_empty():
        raise DataError(f"a replayed frame must be ascending and unique by {key}")
    vanished = bool((only_then == odd[0]).any())
    return Leak(
        column=key,
        cut=cut,
        n_rows=len(odd),
        first=odd[0],
        then="present" if vanished else "absent",
        later="absent" if vanished else "present",
    )


def same_bits(left: pl.Series, right: pl.Series) -> BoolArray:
    """Tell row by row whether two series of one type hold the same bits; null equals null.

    NaN equals NaN; 0.0 and -0.0 differ.
    """
    if not left.dtype.is_float():
        return left.eq_missing(right).to_numpy()
    bits = np.int64 if left.dtype == pl.Float64 else np.int32
    left_bits, right_bits = (s.fill_null(0.0).to_numpy().view(bits) for s in (left, right))
    is_nan = (left.is_nan() & right.is_nan()).fill_null(value=False).to_numpy()
    is_same_null = (left.is_null() == right.is_null()).to_numpy()
    return np.asarray(((left_bits == right_bits) | is_nan) & is_same_null)
