"""Positions by weighted average cost; expected values are worked out by hand."""

from decimal import Decimal

import pytest

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.orders import Fill, Side
from trading_pipeline.portfolio.position import Position
from trading_pipeline_tests.trading_builders import BTC, ETH, d, make_fill


def after(*fills: Fill) -> Position:
    position = Position(BTC)
    for fill in fills:
        position = position.apply(fill)
    return position


def test_two_buys_average_their_cost():
    position = after(make_fill("1", "1", "100"), make_fill("2", "3", "120"))
    assert position.quantity == 4
    assert position.average_cost == d(115)
    assert position.realised_pnl == 0


def test_a_partial_sale_realises_its_share_and_keeps_the_average():
    position = after(
        make_fill("1", "4", "115", fee="0.46"),
        make_fill("2", "1", "135", side=Side.SELL, fee="0.135"),
    )
    assert (position.quantity, position.average_cost) == (3, d(115))
    assert position.realised_pnl == d(20)
    assert position.fees == d("0.595")
    assert position.unrealised_pnl(d(125)) == d(30)


def test_a_full_sale_leaves_no_cost_behind():
    position = after(
        make_fill("1", "3", "100"),
        make_fill("2", "1", "101"),
        make_fill("3", "4", "90", side=Side.SELL),
    )
    assert (position.quantity, position.cost, position.is_open) == (0, 0, False)
    assert position.average_cost is None
    assert position.realised_pnl == d(360) - d(401)


def test_a_short_gains_when_it_is_bought_back_cheaper():
    position = after(
        make_fill("1", "2", "100", side=Side.SELL), make_fill("2", "1", "90", side=Side.BUY)
    )
    assert (position.quantity, position.average_cost) == (-1, d(100))
    assert position.realised_pnl == d(10)
    assert position.unrealised_pnl(d(80)) == d(20)


def test_a_sale_beyond_what_is_held_closes_and_then_opens_a_short_at_its_price():
    position = after(make_fill("1", "1", "100"), make_fill("2", "3", "110", side=Side.SELL))
    assert (position.quantity, position.average_cost) == (-2, d(110))
    assert position.realised_pnl == d(10)


def test_a_purchase_beyond_a_short_closes_and_then_opens_a_long_at_its_price():
    position = after(make_fill("1", "1", "100", side=Side.SELL), make_fill("2", "3", "110"))
    assert (position.quantity, position.average_cost) == (2, d(110))
    assert position.realised_pnl == d(-10)


def test_a_third_of_the_cost_leaves_at_1e_minus_18_and_nothing_is_lost():
    position = after(make_fill("1", "3", "100.00000001"), make_fill("2", "1", "0.01"))
    sold = position.apply(make_fill("3", "3", "100", side=Side.SELL))
    assert sold.cost - sold.realised_pnl == position.cost - d(300)


@pytest.mark.parametrize(
    "bad",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"price": "0"},
        {"fee": "-0.1"},
        {"price": "NaN"},
        {"quantity": "Infinity"},
        {"fee": "NaN"},
    ],
)
def test_a_fill_with_an_impossible_number_is_refused(bad: dict[str, str]):
    with pytest.raises(DataError, match="positive quantity and price"):
        after(make_fill("1", **bad))


def test_a_fill_of_another_symbol_is_refused():
    with pytest.raises(DataError, match="ETH/USDT"):
        after(make_fill("1", symbol=ETH))


def test_text_of_a_fresh_position_shows_plain_zeros():
    assert str(after(make_fill("1", "1", "100")).realised_pnl) == str(Decimal(0))
