"""The portfolio from its fills; conservation is exact, in Decimal."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import DataError, StaleDataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, Side
from trading_pipeline.portfolio.portfolio import Portfolio, value
from trading_pipeline_tests.trading_builders import BTC, ETH, NOW, d, make_fill

_CASH = d(10_000)


@st.composite
def fill_lists(draw: st.DrawFn) -> list[Fill]:
    count = draw(st.integers(0, 25))
    return [
        Fill(
            trade_id=str(number),
            client_order_id=f"tp{number}",
            symbol=draw(st.sampled_from([BTC, ETH])),
            side=draw(st.sampled_from(list(Side))),
            quantity=Decimal(draw(st.integers(1, 10**12))).scaleb(-8),
            price=Decimal(draw(st.integers(1, 10**13))).scaleb(-8),
            fee=Decimal(draw(st.integers(0, 10**10))).scaleb(-10),
            executed_at=NOW,
        )
        for number in range(count)
    ]


prices = st.integers(1, 10**13).map(lambda units: Decimal(units).scaleb(-8))


@given(fill_lists(), prices, prices)
@settings(max_examples=150, deadline=None)
def test_equity_is_the_initial_cash_plus_all_profit_minus_fees_exactly(fills, btc, eth):
    portfolio = Portfolio.from_fills("USDT", _CASH, fills)
    worth = value(portfolio, {BTC: btc, ETH: eth}, at=NOW)
    # The slow obvious way: money in and out of each fill, and what the coins would bring.
    cash, coins = _CASH, {BTC: Decimal(0), ETH: Decimal(0)}
    for fill in fills:
        sign = 1 if fill.side is Side.BUY else -1
        cash -= sign * fill.quantity * fill.price + fill.fee
        coins[fill.symbol] += sign * fill.quantity
    equity = cash + coins[BTC] * btc + coins[ETH] * eth
    assert worth.cash == cash
    assert worth.equity == equity
    profit = worth.realised_pnl + worth.unrealised_pnl - worth.fees
    assert _CASH + profit == equity
    assert {p.symbol: p.quantity for p in portfolio.open_positions} == {
        symbol: held for symbol, held in coins.items() if held
    }


@given(fill_lists(), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_fills_in_two_pieces_give_the_same_portfolio_as_in_one(fills, cut):
    pieces = Portfolio.opened("USDT", _CASH).after(fills[:cut]).after(fills[cut:])
    whole = Portfolio.from_fills("USDT", _CASH, fills)
    assert (pieces.cash, dict(pieces.positions)) == (whole.cash, dict(whole.positions))


def test_a_round_trip_by_hand():
    portfolio = Portfolio.from_fills(
        "USDT",
        _CASH,
        [
            make_fill("1", "0.1", "60000", fee="6"),
            make_fill("2", "0.05", "62000", side=Side.SELL, fee="3.1"),
        ],
    )
    assert portfolio.cash == d("7090.9")
    assert portfolio.realised_pnl == d(100)
    worth = value(portfolio, {BTC: d(61000)}, at=NOW)
    assert worth.equity == d("10140.9")
    assert worth.unrealised_pnl == d(50)
    (held,) = worth.positions
    assert (held.average_cost, held.market_value) == (d(60000), d(3050))


def test_a_held_symbol_without_a_price_has_no_value():
    portfolio = Portfolio.from_fills("USDT", _CASH, [make_fill()])
    for prices_now in ({}, {BTC: d("NaN")}, {BTC: d(0)}, {BTC: d(-1)}):
        with pytest.raises(StaleDataError, match="needs a positive price"):
            value(portfolio, prices_now, at=NOW)


def test_a_flat_symbol_needs_no_price():
    fills = [make_fill("1"), make_fill("2", price="110", side=Side.SELL)]
    assert value(Portfolio.from_fills("USDT", _CASH, fills), {}, at=NOW).equity == d(10_010)


def test_another_quote_currency_is_refused():
    fill = make_fill(symbol=Symbol("BTC", "USD"))
    with pytest.raises(DataError, match="kept in USDT"):
        Portfolio.from_fills("USDT", _CASH, [fill])


@pytest.mark.parametrize("cash", ["-1", "NaN", "Infinity"])
def test_initial_cash_must_be_a_number_of_at_least_zero(cash):
    with pytest.raises(DataError, match="initial cash"):
        Portfolio.opened("USDT", d(cash))
