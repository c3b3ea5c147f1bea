"""A seeded market: changing regimes, clustered volatility, fat tails.

The log return of one bar is ``drift(regime) + sigma(t) * shock``. Regimes (calm, bull, bear,
panic) are shared by the whole market and last days to weeks; ``sigma`` carries a slow random
factor and the hours of the day; shocks are Student t, partly common to all symbols. No pattern is
planted in the shocks: what can be foreseen is the regime's drift (a slow momentum) and the
clustering of volatility, as in real markets, and no more.

Every random number comes from a stream of its own, named by (seed, purpose), and is consumed in
time order, so that a longer market begins with the shorter one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.instrument import Instrument

_YEAR_SECONDS = 365 * 86_400
_DAY_SECONDS = 86_400
_TAIL_FREEDOM = 5.0
_COMMON_SHARE = 0.85
_VOLATILITY_HALF_LIFE_S = 12 * 3600
_VOLATILITY_SPREAD = 0.35
_VOLUME_HALF_LIFE_S = 4 * 3600
_VOLUME_SPREAD = 0.4

OhlcvArrays: TypeAlias = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument of the simulated venue and the character of its market.

    Parameters
    ----------
    instrument : Instrument
    start_price : Decimal
        First open, in quote currency; positive.
    volatility : float
        Annualised standard deviation of log returns in an average regime, as a fraction.
    daily_volume : float
        Base currency traded on an average day.
    """

    instrument: Instrument
    start_price: Decimal
    volatility: float = 0.55
    daily_volume: float = 20_000.0


@dataclass(frozen=True, slots=True)
class _Regime:
    drift: float
    """Log return per year."""
    turbulence: float
    """Factor on the volatility."""
    mean_days: float
    following: tuple[float, float, float, float]
    """Probabilities of the next regime, in the order of ``_REGIMES``."""


_REGIMES: tuple[_Regime, ...] = (
    _Regime(drift=0.05, turbulence=0.75, mean_days=16, following=(0.0, 0.50, 0.42, 0.08)),
    _Regime(drift=1.60, turbulence=0.95, mean_days=14, following=(0.55, 0.0, 0.35, 0.10)),
    _Regime(drift=-1.30, turbulence=1.15, mean_days=12, following=(0.50, 0.35, 0.0, 0.15)),
    _Regime(drift=-3.50, turbulence=2.40, mean_days=1.5, following=(0.30, 0.40, 0.30, 0.0)),
)


def generate_bars(
    listing: Listing, *, seed: int, start_s: int, step_s: int, n_bars: int
) -> OhlcvArrays:
    """Return open, high, low, close and volume of ``n_bars`` bars from ``start_s`` on.

    Parameters
    ----------
    listing : Listing
    seed : int
        Equal seeds give equal markets.
    start_s, step_s : int
        First open time (seconds since 1970, UTC) and length of a bar in seconds.
    n_bars : int
        Bars to make; the first ones do not depend on it.

    Returns
    -------
    tuple of ndarray of shape (n_bars,)
        Prices are positive multiples of the tick with low <= open, close <= high; volumes are
        multiples of the lot and at least one lot.
    """
    name = listing.instrument.symbol.key
    regimes = _regime_path(seed, step_s, n_bars)
    times = start_s + step_s * np.arange(n_bars, dtype=np.int64)
    season = _season(times)
    year = step_s / _YEAR_SECONDS
    scale = listing.volatility * np.sqrt(year)
    drift = np.array([regime.drift for regime in _REGIMES])[regimes] * year
    turbulence = np.array([regime.turbulence for regime in _REGIMES])[regimes]
    sigma = scale * turbulence * season * _volatility_factor(seed, name, step_s, n_bars)
    shock = _mix(_shocks(seed, "market", n_bars), _shocks(seed, name, n_bars))
    # Itô's correction keeps the drift of a turbulent regime where its table puts it.
    returns = drift + sigma * shock - sigma**2 / 2
    log_close = np.log(float(listing.start_price)) + np.cumsum(returns)
    log_open = np.concatenate([[np.log(float(listing.start_price))], log_close[:-1]])
    log_high, log_low = _extremes(seed, name, log_open, log_close, sigma)
    activity = season * turbulence * (0.4 + 0.6 * np.abs(returns) / (scale * season))
    volume = _volumes(listing, seed, activity, step_s)
    tick = listing.instrument.tick_size
    open_, high, low, close = (
        on_grid(np.exp(path), tick) for path in (log_open, log_high, log_low, log_close)
    )
    return open_, high, low, close, volume


def on_grid(values: FloatArray, step: Decimal) -> FloatArray:
    """Return the positive multiples of ``step`` nearest to ``values``, at least one step.

    Each is the float64 nearest to the decimal number, the one that its text parses to.
    """
    counts = np.maximum(np.rint(values / float(step)), 1.0)
    return np.round(counts * float(step), decimals_of(step))


def decimals_of(step: Decimal) -> int:
    """Return the digits after the point that multiples of ``step`` need."""
    exponent = step.normalize().as_tuple().exponent
    return max(-int(exponent), 0)


def _stream(seed: int, *purpose: str) -> np.random.Generator:
    text = "|".join((str(seed), *purpose))
    # The built-in hash differs between processes; this one does not.
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _shocks(seed: int, name: str, n_bars: int) -> FloatArray:
    unit = np.sqrt((_TAIL_FREEDOM - 2) / _TAIL_FREEDOM)
    shocks: FloatArray = _stream(seed, "shocks", name).standard_t(_TAIL_FREEDOM, n_bars) * unit
    return shocks


def _mix(common: FloatArray, own: FloatArray) -> FloatArray:
    mixed: FloatArray = _COMMON_SHARE * common + np.sqrt(1 - _COMMON_SHARE**2) * own
    return mixed


def _regime_path(seed: int, step_s: int, n_bars: int) -> IntArray:
    """Return the regime of each bar; dwell times are exponential, drawn one after another."""
    stream = _stream(seed, "regimes")
    path = np.empty(n_bars, dtype=np.int64)
    regime, position = 0, 0
    while position < n_bars:
        days = stream.exponential(_REGIMES[regime].mean_days)
        stop = position + max(round(days * _DAY_SECONDS / step_s), 1)
        path[position:stop] = regime
        regime = int(np.searchsorted(np.cumsum(_REGIMES[regime].following), stream.random()))
        regime = min(regime, len(_REGIMES) - 1)
        position = stop
    return path


def _autoregression(stream: np.random.Generator, half_life: float, n_bars: int) -> FloatArray:
    """Return a stationary AR(1) path of unit variance."""
    memory = 0.5 ** (1 / half_life)
    shocks: Sequence[float] = stream.standard_normal(n_bars).tolist()
    weight = (1 - memory**2) ** 0.5
    # The first value already has unit variance, so that the market does not start out calm.
    scaled = [shocks[0], *(weight * shock for shock in shocks[1:])] if n_bars else []
    return np.array(list(accumulate(scaled, lambda level, shock: memory * level + shock)))


def _volatility_factor(seed: int, name: str, step_s: int, n_bars: int) -> FloatArray:
    half_life = _VOLATILITY_HALF_LIFE_S / step_s
    common = _autoregression(_stream(seed, "volatility", "market"), half_life, n_bars)
    own = _autoregression(_stream(seed, "volatility", name), half_life, n_bars)
    spread = _VOLATILITY_SPREAD
    factor: FloatArray = np.exp(spread * _mix(common, own) - spread**2 / 2)
    return factor


def _season(times_s: IntArray) -> FloatArray:
    """Return the activity by time of day (most at 15:00 UTC) and on weekends (less)."""
    hour = times_s % _DAY_SECONDS / 3600
    weekday = (times_s // _DAY_SECONDS + 3) % 7
    by_hour = 1 + 0.3 * np.cos((hour - 15) / 24 * 2 * np.pi)
    season: FloatArray = by_hour * np.where(weekday >= 5, 0.75, 1.0)
    return season


def _extremes(
    seed: int, name: str, log_open: FloatArray, log_close: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Draw high and low from the law of a Brownian bridge between open and close.

    Reference: Glasserman, Monte Carlo Methods in Financial Engineering (2003), section 6.4.
    """
    total = log_open + log_close
    span = (log_close - log_open) ** 2
    # Uniform draws in (0, 1], so that the logarithm is finite.
    up = 1 - _stream(seed, "high", name).random(len(sigma))
    down = 1 - _stream(seed, "low", name).random(len(sigma))
    high = (total + np.sqrt(span - 2 * sigma**2 * np.log(up))) / 2
    low = (total - np.sqrt(span - 2 * sigma**2 * np.log(down))) / 2
    # Rounding inside the square root may end a hair inside the body.
    return (
        np.maximum(high, np.maximum(log_open, log_close)),
        np.minimum(low, np.minimum(log_open, log_close)),
    )


def _volumes(listing: Listing, seed: int, activity: FloatArray, step_s: int) -> FloatArray:
    name = listing.instrument.symbol.key
    half_life = _VOLUME_HALF_LIFE_S / step_s
    noise = _autoregression(_stream(seed, "volume", name), half_life, len(activity))
    average = listing.daily_volume * step_s / _DAY_SECONDS
    volume = average * activity * np.exp(_VOLUME_SPREAD * noise - _VOLUME_SPREAD**2 / 2)
    return on_grid(volume, listing.instrument.lot_size)
