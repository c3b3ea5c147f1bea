"""The engine on the real hours of 2017 to 2019, 13 halts included, against the Decimal engine."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from trading_pipeline.backtest.engine import run_backtest
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.matching.grid import quote_unit
from trading_pipeline_tests.backtest.decimal_engine import decimal_backtest
from trading_pipeline_tests.real_data import real_file

BTC = Instrument(
    Symbol("BTC", "USDT"), Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"), Decimal(5)
)


@pytest.mark.real_data
def test_hundreds_of_real_trades_equal_the_decimal_engine(rng: np.random.Generator) -> None:
    path = real_file("binance-spot-freqtrade/BTC_USDT-1h.feather")
    raw = pl.read_ipc(path).rename({"date": "open_time"})
    candles = raw.select(pl.col(name).cast(kind) for name, kind in CANDLE_SCHEMA.items())
    candles = candles.head(20_000)
    direction = np.repeat(rng.choice(np.array([-1, 0, 1], dtype=np.int8), 2_000), 10)
    settings = BacktestSettings(position_fraction=1, allow_short=True)
    result = run_backtest(candles, direction, None, BTC, settings)
    expected, account = decimal_backtest(candles, direction.tolist(), None, BTC, settings)
    unit = quote_unit(BTC)
    assert [units * unit for units in result.equity_units.tolist()] == expected
    assert len(result.trades) == len(account.trades) > 800
