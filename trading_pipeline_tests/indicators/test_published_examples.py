"""Worked examples that others published.

- Wilder 1978: J. W. Wilder, New Concepts in Technical Trading Systems, p. 66 (unrounded).
- ChartSchool: the spreadsheets of StockCharts' ChartSchool.
- Achelis: S. Achelis, Technical Analysis from A to Z, page as given, collected by Tulip Charts.
"""

import numpy as np
import pytest

from trading_pipeline.indicators.averages import sma
from trading_pipeline.indicators.bands import bollinger
from trading_pipeline.indicators.momentum import roc, rsi
from trading_pipeline.indicators.oscillators import cci, stochastic
from trading_pipeline.indicators.trend import adx
from trading_pipeline.indicators.volatility import atr
from trading_pipeline.indicators.volume import mfi, obv


def numbers(text):
    return np.array(text.split(), dtype=np.float64)


def check(values, expected, digits):
    known = values[~np.isnan(values)]
    assert known[: len(expected)] == pytest.approx(expected, abs=0.6 * 10**-digits, rel=0)


def test_rsi_of_wilder_1978():
    close = numbers(
        "54.80 56.80 57.85 59.85 60.57 61.10 62.17 60.60 62.35 62.15 62.35 61.45 62.80 61.37 62.50 "
        "62.57 60.80 59.37 60.35 62.35 62.17 62.55 64.55 64.37 65.30 64.42 62.90 61.60 62.05 60.05 "
        "59.70 60.90 60.25 58.27 58.70 57.72 58.10 58.20"
    )
    expected = numbers(
        "74.21 74.34 65.87 59.93 62.43 66.96 66.19 67.05 71.23 70.36 72.24 67.86 61.00 55.80 57.16 "
        "49.82 48.64 52.76 50.40 43.95 45.58 42.55 44.10 44.52"
    )
    check(rsi(close, 14), expected, 2)


def test_rsi_of_chartschool():
    close = numbers(
        "44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 "
        "46.0328 45.614 46.282 46.282 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521 "
        "45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628 43.1314"
    )
    expected = numbers(
        "70.5328 66.3186 66.5498 69.4063 66.3552 57.9749 62.9296 63.2571 56.0593 62.3771 54.7076 "
        "50.4228 39.9898 41.4605 41.8689 45.4632 37.3040 33.0795 37.7730"
    )
    check(rsi(close, 14), expected, 3)


def test_rsi_of_achelis_page_299():
    close = numbers(
        "37.875 39.5 38.75 39.8125 40 39.875 40.1875 41.25 41.125 41.625 41.25 40.1875 39.9375 "
        "39.9375 40.5 41.9375 42.25 42.25 41.875 41.875"
    )
    expected = numbers(
        "76.6667 78.8679 84.9158 81.4863 84.5968 73.0851 49.3173 45.0119 45.0119 57.9252 75.9596 "
        "78.4676 78.4676 65.6299 65.6299"
    )
    check(rsi(close, 5), expected, 4)


def test_atr_of_chartschool():
    high = numbers(
        "48.70 48.72 48.90 48.87 48.82 49.05 49.20 49.35 49.92 50.19 50.12 49.66 49.88 50.19 50.36 "
        "50.57 50.65 50.43 49.63 50.33 50.29 50.17 49.32 48.50 48.3201 46.80 47.80 48.39 48.66 "
        "48.79"
    )
    low = numbers(
        "47.79 48.14 48.39 48.37 48.24 48.635 48.94 48.86 49.50 49.87 49.20 48.90 49.43 49.725 "
        "49.26 50.09 50.30 49.21 48.98 49.61 49.20 49.43 48.08 47.64 41.55 44.2833 47.31 47.20 "
        "47.90 47.7301"
    )
    close = numbers(
        "48.16 48.61 48.75 48.63 48.74 49.03 49.07 49.32 49.91 50.13 49.53 49.50 49.75 50.03 50.31 "
        "50.52 50.41 49.34 49.37 50.23 49.2375 49.93 48.43 48.18 46.57 45.41 47.77 47.72 48.62 "
        "47.85"
    )
    expected = numbers(
        "0.555 0.5939285714 0.5857908163 0.5689486152 0.6154522855 0.6179199794 0.6423542666 "
        "0.6743289618 0.6927697503 0.7754290538 0.7814698357 1.209229133 1.302619909 1.380289916 "
        "1.366697779 1.336219366 1.316482269"
    )
    # ChartSchool counts high minus low of the first bar as its true range: a bar before it whose
    # close lies inside it says the same.
    high, low, close = (np.r_[48.0, column] for column in (high, low, close))
    check(atr(high, low, close, 14), expected, 9)


def test_bollinger_of_chartschool():
    close = numbers(
        "86.1557 89.0867 88.7829 90.3228 89.0671 91.1453 89.4397 89.1750 86.9302 87.6752 86.9596 "
        "89.4299 89.3221 88.7241 87.4497 87.2634 89.4985 87.9006 89.1260 90.7043 92.9001 92.9784"
    )
    upper, middle, lower = bollinger(close, 20, 2.0)
    check(upper, numbers("91.291862 91.949268 92.612595"), 5)
    check(middle, numbers("88.707940 89.045160 89.239745"), 5)
    check(lower, numbers("86.124018 86.141052 85.866895"), 5)


def test_bollinger_and_mean_of_achelis():
    close = numbers("31.875 32.125 32.3125 32.125 31.875 32.3125 32.25 32.4375 32.8125 32.375")
    upper, middle, lower = bollinger(close, 5, 2.0)  # page 73
    check(upper, numbers("32.3979 32.4721 32.5048 32.5824 32.9427"), 4)
    check(middle, numbers("32.0625 32.15 32.175 32.2 32.3375"), 4)
    check(lower, numbers("31.7271 31.8279 31.8452 31.8176 31.7323"), 4)
    page_207 = numbers("25 24.875 24.781 24.594 24.5 24.625 25.219 27.25")
    check(sma(page_207, 5), numbers("24.75 24.675 24.744 25.238"), 3)


def test_stochastic_of_achelis_page_325():
    high = numbers(
        "34.3750 34.7500 34.2188 33.8281 33.4375 33.4688 34.3750 34.7188 34.6250 34.9219 34.9531 "
        "35.0625 34.7812 34.3438"
    )
    low = numbers(
        "33.5312 33.9062 33.6875 33.2500 33.0000 32.9375 33.2500 34.0469 33.9375 34.0625 34.4375 "
        "34.5938 33.7656 33.2188"
    )
    close = numbers(
        "34.3125 34.1250 33.7500 33.6406 33.0156 33.0469 34.2969 34.1406 34.5469 34.3281 34.8281 "
        "34.8750 33.7812 34.2031"
    )
    k, d = stochastic(high, low, close, 5, 3, 3)
    check(k, numbers("84.1524 75.9890 84.3623 82.0235 59.0655 45.9745"), 4)
    check(d, numbers("58.0105 72.0631 81.5012 80.7916 75.1504 62.3545"), 4)


def test_roc_of_chartschool():
    close = numbers(
        "11045.27 11167.32 11008.61 11151.83 10926.77 10868.12 10520.32 10380.43 10785.14 10748.26 "
        "10896.91 10782.95 10620.16 10625.83 10510.95 10444.37 10068.01 10193.39 10066.57 10043.75"
    )
    expected = numbers(
        "-3.84879682 -4.84888048 -4.52064339 -6.34389154 -7.85923013 -6.20834146 -4.31308173 "
        "-3.24341092"
    )
    check(roc(close, 12), expected / 100, 9)


def test_cci_of_achelis_page_105():
    high = numbers(
        "15.125 15.052 14.8173 14.69 14.7967 14.794 14.093 14.7 14.5255 14.6579 14.7842 14.8273"
    )
    low = numbers(
        "14.936 14.6267 14.5557 14.46 14.5483 13.9347 13.8223 14.02 14.2652 14.3773 14.5527 14.3309"
    )
    close = numbers(
        "14.936 14.752 14.5857 14.6 14.6983 13.946 13.9827 14.45 14.3452 14.4197 14.5727 14.4773"
    )
    check(cci(high, low, close, 5)[8:], numbers("18.089 84.4605 109.1186 46.654"), 3)


def test_obv_of_achelis_page_231():
    close = numbers("20.5625 20.375 20.0625 19.5 19.8125 19.8125 20.0625 20.0625 20.375 20.75")
    volume = numbers("27802 16178 22766 46074 22904 20428 29260 30652 38332 40054")
    expected = numbers("0 -16178 -38944 -85018 -62114 -62114 -32854 -32854 5478 45532")
    # The book starts at 0, TA-Lib and we with the first volume: only differences carry meaning.
    check(obv(close, volume) - 27802, expected, 3)


def test_mfi_of_achelis_companion_spreadsheet():
    high = numbers(
        "6.1094 6.4063 6.4375 6.4844 6.4219 6.4688 6.3438 6.2188 6.1406 6.2031 6.2109 6.3281 "
        "6.6094 6.5625 6.5625 6.57813 6.53125 6.9219"
    )
    low = numbers(
        "5.9531 6.0938 6.2188 6.3125 6.2969 6.375 6.1953 6.1016 6 6.0938 6.0938 6.2188 6.3594 "
        "6.4688 6.4531 6.375 6.42188 6.5938"
    )
    close = numbers(
        "6.0625 6.3359 6.3438 6.3281 6.375 6.4063 6.2188 6.125 6.1172 6.0938 6.1875 6.3281 6.5313 "
        "6.5156 6.4688 6.48438 6.48438 6.9063"
    )
    volume = numbers(
        "340384 691088 536624 470944 356992 399920 589984 259152 379152 269856 195152 390208 "
        "557168 267728 318816 262352 261008 837232"
    )
    expected = numbers("66.77737978 59.03448482 54.37481709 58.15221843")
    check(mfi(high, low, close, volume, 14), expected, 6)


def test_directional_index_of_wilder_on_a_hand_written_table():
    """Three bars of smoothing by hand: period 2, so each step halves.

    bar  high low close   TR  +DM -DM
    0     10    8    9
    1     12    9   11     3    2   0
    2     13   10   12     3    1   0
    3     12    8    9     4    0   2
    4     12    9   10     3    0   0
    Sums start with bar 1 (period - 1 bars): TR 3, +DM 2, -DM 0; then S = S / 2 + value.
    bar 2: TR 4.5  +DM 2    -DM 0    DX 100
    bar 3: TR 6.25 +DM 1    -DM 2    DX 33.33..   ADX = (100 + 33.33..) / 2 = 66.66..
    bar 4: TR 6.125 +DM 0.5 -DM 1    DX 33.33..   ADX = (66.66.. + 33.33..) / 2 = 50
    """
    index, plus, minus = adx([10, 12, 13, 12, 12], [8, 9, 10, 8, 9], [9, 11, 12, 9, 10], period=2)
    check(index, [200 / 3, 50.0], 12)
    check(plus, [100 * 1 / 6.25, 100 * 0.5 / 6.125], 12)
    check(minus, [100 * 2 / 6.25, 100 * 1 / 6.125], 12)
