import pytest

from trading_pipeline.core.orders import OrderStatus, Side


def test_a_buy_adds_and_a_sell_takes_away():
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert Side("sell") is Side.SELL


def test_the_states_that_end_sending_are_those_of_the_state_machine():
    ended = {status.value for status in OrderStatus if status.is_terminal}
    assert ended == {"denied", "filled", "canceled", "expired", "rejected", "not_placed"}


@pytest.mark.parametrize("status", [OrderStatus.UNKNOWN, OrderStatus.QUARANTINED])
def test_an_order_whose_fate_is_open_still_counts_as_exposure(status):
    assert not status.is_terminal
