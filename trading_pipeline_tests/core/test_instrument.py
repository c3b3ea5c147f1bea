from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Instrument, Symbol

BTC = Instrument(
    Symbol("BTC", "USDT"), Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"), Decimal(5)
)
_STEPS = st.sampled_from(["1", "0.5", "0.1", "0.01", "0.00001", "0.00000001", "5", "0.25"])
_AMOUNTS = st.decimals("0", "1000000", allow_nan=False, allow_infinity=False, places=10)


def _instrument(step: str) -> Instrument:
    return Instrument(Symbol("A", "B"), Decimal(step), Decimal(step), Decimal(step), Decimal(1))


@pytest.mark.parametrize("text", ["BTC/USDT", "btc-usdt", "Btc_Usdt", " BTC/USDT "])
def test_a_symbol_is_one_symbol_in_every_spelling(text):
    symbol = Symbol.parse(text)
    assert symbol == Symbol("BTC", "USDT")
    assert (symbol.key, symbol.pair, str(symbol)) == ("BTC-USDT", "BTC/USDT", "BTC/USDT")


def test_a_base_that_starts_with_a_digit_is_a_symbol():
    assert Symbol.parse("1inch/usdt").key == "1INCH-USDT"


@pytest.mark.parametrize(
    "text", ["BTCUSDT", "", "BTC/", "/USDT", "BTC/USDT/X", "../etc", "BTC USDT", "BTC/USDT:USDT"]
)
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(ConfigError, match="a symbol is written as BTC/USDT or BTC-USDT"):
        Symbol.parse(text)


@pytest.mark.parametrize(("tick", "lot"), [("0", "1"), ("1", "0"), ("-0.01", "1")])
def test_an_instrument_needs_positive_steps(tick, lot):
    with pytest.raises(ConfigError, match="A/B: tick_size and lot_size must be positive"):
        Instrument(Symbol("A", "B"), Decimal(tick), Decimal(lot), Decimal(1), Decimal(1))


@pytest.mark.parametrize(
    ("price", "ticks"),
    [
        (Decimal("100.014"), 10_001),
        (Decimal("100.016"), 10_002),
        (Decimal("100.005"), 10_000),  # a tie goes to the even tick
        (Decimal("100.015"), 10_002),
        (67_312.29, 6_731_229),
    ],
)
def test_a_price_goes_to_the_nearest_tick(price, ticks):
    assert BTC.to_ticks(price) == ticks


@pytest.mark.parametrize(
    ("quantity", "lots"),
    [
        (Decimal("0.00001999"), 1),
        (Decimal("0.00002"), 2),
        (Decimal("0.000009"), 0),
        (0.3, 30_000),  # the float 0.3 lies below three tenths and still means 0.3
        (1e-5, 1),
    ],
)
def test_a_quantity_goes_down_to_the_lot(quantity, lots):
    assert BTC.to_lots(quantity) == lots


def test_ticks_and_lots_become_decimals_on_the_grid():
    assert BTC.price(6_731_229) == Decimal("67312.29")
    assert BTC.quantity(3) == Decimal("0.00003")
    assert BTC.round_price(100.004999) == Decimal("100.00")
    assert BTC.floor_quantity(Decimal("0.123456789")) == Decimal("0.12345")


@pytest.mark.parametrize(
    ("quantity", "price", "is_enough"),
    [
        ("0.00005", "100000", True),  # exactly 5
        ("0.00004", "100000", False),  # 4 in quote currency
        ("0.000009", "1000000", False),  # 9 in quote currency, below one lot
    ],
)
def test_an_order_must_reach_both_minima(quantity, price, is_enough):
    assert BTC.is_large_enough(Decimal(quantity), Decimal(price)) is is_enough


@given(_AMOUNTS, _STEPS)
def test_a_floored_quantity_is_on_the_grid_and_never_larger(quantity, step):
    instrument = _instrument(step)
    floored = instrument.floor_quantity(quantity)
    assert floored % instrument.lot_size == 0
    assert Decimal(0) <= quantity - floored < instrument.lot_size


@given(_AMOUNTS, _STEPS)
def test_a_rounded_price_is_on_the_grid_and_at_most_half_a_tick_away(price, step):
    instrument = _instrument(step)
    rounded = instrument.round_price(price)
    assert rounded % instrument.tick_size == 0
    assert 2 * abs(price - rounded) <= instrument.tick_size


@given(st.integers(0, 10**12), _STEPS)
def test_ticks_and_prices_undo_each_other(ticks, step):
    instrument = _instrument(step)
    assert instrument.to_ticks(instrument.price(ticks)) == ticks
    assert instrument.to_lots(instrument.quantity(ticks)) == ticks
