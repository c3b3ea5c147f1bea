"""Checks of single replies, without a network."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from trading_pipeline.adapters.exchanges.ccxt_client import check_reply, excerpt, near_names
from trading_pipeline.adapters.exchanges.ccxt_replies import candle_rows, decimal, instant
from trading_pipeline.core.errors import MalformedReplyError, RateLimitedError
from trading_pipeline.core.timeframe import Timeframe

H1 = Timeframe("1h")
NOW_MS = 1_704_110_400_000  # 2024-01-01 12:00


class Reply:
    """What ``requests`` hands to a response hook."""

    def __init__(self, status_code: int, content: bytes = b"", **headers: str) -> None:
        self.status_code = status_code
        self.content = content
        self.url = "http://venue.example/api?signature=secret"
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1e-05, "0.00001"),
        ("1E-8", "0.00000001"),
        (5.0, "5"),
        (0.1, "0.1"),
        ("1000.00", "1000"),
        (100, "100"),
    ],
)
def test_numbers_become_plain_decimals(value, expected):
    assert str(decimal(value)) == str(Decimal(expected))


@pytest.mark.parametrize("value", [None, "", "x", float("nan"), float("inf"), [], {}])
def test_what_is_no_finite_number_becomes_none(value):
    assert decimal(value) is None


def test_the_time_of_the_venue_is_exact_to_the_millisecond():
    assert instant(1_704_067_200_001, "v") == datetime(2024, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [None, "1704067200000", 1_704_067_200, 1_704_067_200_000_000, True, -1]
)
def test_a_time_in_another_unit_or_type_is_refused(value):
    with pytest.raises(MalformedReplyError, match="time in milliseconds"):
        instant(value, "v")


def test_rows_become_an_array_without_repetitions():
    row = [NOW_MS, 1, 2.5, 0.5, 2, 7]
    table = candle_rows([row, row], H1, NOW_MS, "v")
    np.testing.assert_array_equal(table, [[NOW_MS, 1, 2.5, 0.5, 2, 7]])


def test_the_bar_that_opened_while_we_asked_is_allowed_and_the_next_is_not():
    hour = H1.milliseconds
    candle_rows([[NOW_MS + hour, 1, 1, 1, 1, 1]], H1, NOW_MS, "v")
    with pytest.raises(MalformedReplyError, match="future"):
        candle_rows([[NOW_MS + 2 * hour, 1, 1, 1, 1, 1]], H1, NOW_MS, "v")


def test_rows_out_of_order_are_refused():
    rows = [[NOW_MS, 1, 1, 1, 1, 1], [NOW_MS - H1.milliseconds, 1, 1, 1, 1, 1]]
    with pytest.raises(MalformedReplyError, match="out of order"):
        candle_rows(rows, H1, NOW_MS, "v")


@pytest.mark.parametrize(
    "rows", [None, {}, "rows", [[]], [None], [[NOW_MS, 1, 1, 1, True, 1]], [[10**400] * 6]]
)
def test_what_are_no_rows_is_refused(rows):
    with pytest.raises(MalformedReplyError):
        candle_rows(rows, H1, NOW_MS, "v")


def test_no_rows_are_an_empty_table():
    assert candle_rows([], H1, NOW_MS, "v").shape == (0, 6)


@pytest.mark.parametrize("content", [b"[]", b'{"a":1}', b"[1]", b'{"code":-1121}'])
def test_json_arrays_and_objects_pass(content):
    check_reply(Reply(200, content), "v")
    check_reply(Reply(400, content), "v")


def test_a_wait_given_as_a_date_counts_from_the_date_of_the_reply():
    reply = Reply(
        429,
        Retry_After="Wed, 21 Oct 2026 07:28:30 GMT",
        Date="Wed, 21 Oct 2026 07:28:00 GMT",
    )
    with pytest.raises(RateLimitedError) as caught:
        check_reply(reply, "v")
    assert caught.value.facts["retry_after_s"] == 30


@pytest.mark.parametrize("status", [200, 429, 500, 403, 404])
def test_messages_do_not_repeat_the_query_of_the_request(status):
    with pytest.raises(Exception, match=r"venue\.example/api") as caught:
        check_reply(Reply(status, b"<html>"), "v")
    assert "secret" not in str(caught.value)


def test_a_long_reply_is_quoted_in_part_and_on_one_line():
    assert excerpt(b"<a>\n  <b>" + b"x" * 9_999).startswith("<a> <b>xxx")
    assert len(excerpt(b"x" * 9_999)) == 163
    assert excerpt(b"  \n ") == "an empty body"


def test_hints_name_what_is_near_or_a_few_of_many():
    known = [f"C{i}/USDT" for i in range(2_000)]
    assert near_names("C17/USD", known).startswith("did you mean C")
    assert near_names("zzz", known).startswith("it has 2000, such as C0/USDT")
    assert len(near_names("zzz", known)) < 120
