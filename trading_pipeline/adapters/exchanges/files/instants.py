"""Open times from whatever a file holds: numbers of four units, text, dates.

Numbers are read one by one, by their size, because one file may mix units: Binance's archive
switched from milliseconds to microseconds on 2025-01-01
(https://github.com/binance/binance-public-data). Text without a zone is read as UTC.
"""

from datetime import UTC, datetime, timedelta

import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE

EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
"""Before this no crypto market existed: an earlier reading is a wrong unit."""

_FAR = 10**6  # days: beyond any date, within any integer
_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y%m%d %H%M%S",
    "%Y%m%d %H:%M:%S",
)
_NUMBER = r"^[+-]?\d+(\.\d*)?([eE][+]?\d+)?$"


def parse_instants(values: pl.Series, now: datetime) -> pl.Series:
    """Return open times in UTC microseconds, null where a value is none.

    A value is none if it is missing, in an unknown form, or outside 2009 to one day after
    ``now``. Day-first and month-first dates are unknown on purpose: 03/04/2024 has two readings.

    Parameters
    ----------
    values : Series
        Integers, floats, text, Date or Datetime of any unit and zone.
    now : datetime
        Timezone-aware.
    """
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        times = _from_datetimes(values, kind)
    elif kind == pl.Date:
        days = values.to_physical().cast(pl.Int64).clip(-_FAR, _FAR)
        times = (days * 86_400_000_000).cast(OPEN_TIME_TYPE)
    elif kind.is_numeric():
        times = _from_numbers(values)
    elif kind == pl.String:
        times = _from_text(values)
    else:
        times = pl.Series(values.name, [None] * len(values), dtype=OPEN_TIME_TYPE)
    is_sane = times.is_between(EARLIEST, now.astimezone(UTC) + timedelta(days=1))
    return times.to_frame("t").select(pl.when(is_sane).then("t").alias(values.name)).to_series()


def has_zoneless_text(values: pl.Series) -> bool:
    """Tell whether the times are texts or dates that carry no zone, so that UTC is assumed."""
    if values.dtype == pl.Date:
        return True
    if isinstance(values.dtype, pl.Datetime):
        return values.dtype.time_zone is None
    if values.dtype != pl.String:
        return False
    text = values.drop_nulls().str.strip_chars()
    is_zoned = text.str.contains(r"(?i)(Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
    is_zoneless = ~text.str.contains(_NUMBER) & (~is_zoned | text.str.contains(r"^\S{1,10}$"))
    return bool(is_zoneless.any())


def _from_datetimes(values: pl.Series, kind: pl.Datetime) -> pl.Series:
    # By the stored integers, which are UTC in every zone (and naive means UTC): Polars panics on
    # converting a damaged instant that is out of its range.
    stored = values.to_physical()
    milliseconds = stored.clip(-(10**15), 10**15)
    scaled = {"ns": stored // 1000, "us": stored, "ms": milliseconds * 1000}[kind.time_unit]
    return scaled.cast(OPEN_TIME_TYPE)


_UNITS_US = ((10**8, 10**11, 1_000_000), (10**11, 10**14, 1000), (10**14, 10**17, 1))
"""Sizes of plain integers in seconds, milli- and microseconds, and their length in microseconds."""


def _from_numbers(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Int64 and (unit := _common_unit_us(values)) is not None:
        return (values * unit).cast(OPEN_TIME_TYPE)
    number = pl.col("v")
    if values.dtype.is_float():
        number = pl.when(number.is_finite()).then(number)
    size = number.abs()
    us = (
        pl.when(size < 10**11)
        .then(number * 1_000_000)
        .when(size < 10**14)
        .then(number * 1000)
        .when(size < 10**17)
        .then(number)
        .otherwise(number // 1000)
    )
    # An int64 would overflow in the branch that is not taken; out of range is null, not an error.
    wide = values.cast(pl.Float64 if values.dtype.is_float() else pl.Int128, strict=False)
    whole = wide.to_frame("v").select(us.round().cast(pl.Int64, strict=False)).to_series()
    return whole.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _common_unit_us(values: pl.Series) -> int | None:
    """Return the unit of all numbers in microseconds; None if they differ or none is known."""
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    return next((unit for least, most, unit in _UNITS_US if least <= low and high < most), None)


def _from_text(values: pl.Series) -> pl.Series:
    text = values.str.strip_chars()
    whole = _from_numbers(text.cast(pl.Int64, strict=False))
    is_number = text.str.contains(_NUMBER)
    decimal = _from_numbers(text.to_frame("v").select(_number_or_null(is_number)).to_series())
    tidy = (
        text.str.replace(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", "${1}-${2}-${3}")
        .str.replace(r"^(\S{8,10})T", "${1} ")
        .str.replace(r"(?i)\s*(Z|UTC|GMT)$", "")
        # cryptodatadownload until 2020: 2017-08-17 04-AM
        .str.replace(r" (\d{2})-([AP]M)$", " ${1}:00 ${2}")
        .str.replace(r"^(\S{8,10} \d{1,2}:\d{2})([+-]\d{2}:?\d{2})$", "${1}:00${2}")
        .str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "${1}${2}")
    )
    zoned = tidy.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False)
    naive = [
        tidy.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in _FORMATS
    ]
    frame = pl.DataFrame(
        {
            str(i): s
            for i, s in enumerate([whole, decimal, zoned.dt.convert_time_zone("UTC"), *naive])
        }
    )
    return frame.select(pl.coalesce(pl.all())).to_series()


def _number_or_null(is_number: pl.Series) -> pl.Expr:
    return pl.when(is_number).then(pl.col("v")).cast(pl.Float64, strict=False)
