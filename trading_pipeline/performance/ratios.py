"""Risk-adjusted returns, per year of ``bars_per_year`` bars, against a risk-free rate of 0."""

import numpy as np

from trading_pipeline.core.candles import FloatArray

_NOISE = 1e-12


def volatility(returns: FloatArray, bars_per_year: float) -> float | None:
    """Return the sample standard deviation (ddof 1) of ``returns`` per year.

    None with fewer than two returns.
    """
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1) * np.sqrt(bars_per_year))


def sharpe(returns: FloatArray, bars_per_year: float) -> float | None:
    """Return the Sharpe ratio per year: mean over sample standard deviation (ddof 1).

    Parameters
    ----------
    returns : ndarray of shape (n_returns,)
        Simple returns per bar, finite; bars without a position count with 0.
    bars_per_year : float
        Scales by its square root, which takes returns as independent.

    Returns
    -------
    float or None
        None with fewer than two returns, or where they do not vary (a spread that is only
        rounding counts as none).

    References
    ----------
    W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1994), 49-58.
    """
    if len(returns) < 2:
        return None
    mean, spread = float(np.mean(returns)), float(np.std(returns, ddof=1))
    if spread <= _NOISE * max(abs(mean), float(np.max(np.abs(returns)))):
        return None
    return mean / spread * float(np.sqrt(bars_per_year))


def sortino(returns: FloatArray, bars_per_year: float) -> float | None:
    """Return the Sortino ratio per year: mean over downside deviation from a target of 0.

    The downside deviation is the root of the mean of ``min(return, 0) ** 2`` over **all** bars,
    not only the losing ones. None with fewer than two returns or without a loss.

    References
    ----------
    F. A. Sortino and L. N. Price, Performance Measurement in a Downside Risk Framework, Journal
    of Investing 3 (1994), 59-64.
    """
    if len(returns) < 2:
        return None
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside == 0.0:
        return None
    return float(np.mean(returns)) / downside * float(np.sqrt(bars_per_year))


def calmar(annual_return: float | None, max_drawdown: float) -> float | None:
    """Return the annual return over the depth of the deepest drawdown; None without one."""
    if annual_return is None or max_drawdown == 0.0:
        return None
    return annual_return / abs(max_drawdown)
