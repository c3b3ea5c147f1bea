"""The collector on the real websocket client, the real REST client, the lake and a stream.

A minute of the market is a quarter of a second. What must hold after every fault: each closed
candle is in the lake with the values that the exchange has for it, and in the stream once.
"""

import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline.adapters.exchanges.simulated.faults import html, rate_limited, truncated
from trading_pipeline.adapters.exchanges.simulated.websocket import SocketFaults
from trading_pipeline.adapters.stream.redis_stream import RedisStream
from trading_pipeline.core.errors import StoreUnavailableError
from trading_pipeline.core.streams import CANDLES
from trading_pipeline.market_data.candle_events import Series, published_bars
from trading_pipeline.market_data.collector import Progress
from trading_pipeline_tests.live_markets import (
    BTC,
    MINUTE,
    NOW,
    OPENS,
    Collected,
    assert_nothing_lost,
    live_exchange,
)
from trading_pipeline_tests.redis_servers import is_answering, own_server

SPEED = 240.0


def test_closed_candles_are_stored_and_published_with_their_true_values(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path)
        # The month began before: that comes by REST, the rest over the websocket.
        deadline = time.monotonic() + 30

        def is_enough(progress: Progress) -> bool:
            return progress.stored - progress.filled >= 4 or time.monotonic() > deadline

        progress = collected.run(is_enough)
    assert_nothing_lost(collected)
    assert progress.connections == 1
    assert progress.stored - progress.filled >= 4
    assert collected.published(BTC)[0].open_time >= NOW.replace(second=0) - timedelta(minutes=1)


def test_a_socket_that_is_cut_every_half_second_loses_nothing(tmp_path: Path):
    with live_exchange(SPEED, SocketFaults(cut_every_s=0.5)) as exchange:
        collected = Collected(exchange, tmp_path)
        progress = collected.run_until(minutes=12)
        assert exchange.sockets.counts["cuts"] >= 3
    assert progress.connections >= 3
    assert "closed by remote server" in progress.last_reason
    assert_nothing_lost(collected)


def test_a_silent_connection_is_given_up_and_what_was_missed_is_filled(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, silence_s=0.4)
        collected.run_until(minutes=2)
        exchange.sockets.is_silent = True

        def talks_again(progress: Progress) -> bool:
            if "sent nothing" in progress.last_reason:
                exchange.sockets.is_silent = False
            return not exchange.sockets.is_silent and collected.has(minutes=9)

        progress = collected.run(talks_again)
    assert "sent nothing for" in progress.last_reason
    assert_nothing_lost(collected)


def test_candles_sent_twice_or_late_or_with_a_lie_change_nothing(tmp_path: Path):
    minute_before = int(NOW.timestamp()) // 60 * 60_000 - 60_000
    faults = SocketFaults(sends_twice=True, sends_late=True, revised={minute_before: 1.0})
    with live_exchange(SPEED, faults) as exchange:
        collected = Collected(exchange, tmp_path)
        collected.run_until(minutes=6)
    assert_nothing_lost(collected)


def test_without_closing_messages_what_was_taken_too_early_is_corrected_by_rest(tmp_path: Path):
    # Binance sends them; of a venue that does not, REST has the last word.
    with live_exchange(SPEED, SocketFaults(omits_last=True)) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))
        collected.run_until(minutes=8)
        collected.run_until(minutes=9)
    stored = collected.stored(BTC)
    assert stored.equals(exchange.truth(BTC, OPENS, stored["open_time"][-1]))
    last = {bar.open_time: bar.close for bar in collected.published(BTC)}
    truth = dict(stored.select("open_time", "close").iter_rows())
    assert last == {opened: truth[opened] for opened in last}


def test_a_candle_that_the_venue_revises_in_silence_is_found_within_ten_minutes(tmp_path: Path):
    opened = NOW.replace(second=0) + timedelta(minutes=1)
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))

        def revise(progress: Progress) -> bool:
            if collected.has(minutes=3):
                exchange.market.closes[opened] = 1.25
            return progress.revised > 0 or collected.has(minutes=16)

        progress = collected.run(revise)
    assert progress.revised == 1
    assert [bar.close for bar in collected.published(BTC) if bar.open_time == opened][-1] == 1.25


def test_a_candle_that_the_venue_revises_is_stored_with_both_values_and_published_again(
    tmp_path: Path,
):
    opened = NOW.replace(second=0) - timedelta(minutes=1)
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))
        collected.run_until(minutes=1)
        (before,) = [b for b in collected.published(BTC) if b.open_time == opened]
        exchange.market.closes[opened] = before.close + 1.25
        exchange.sockets.revised[int(opened.timestamp()) * 1000] = before.close + 1.25
        progress = collected.run(lambda progress: progress.revised > 0 and collected.has(4))
    assert progress.revised == 1
    stored = collected.stored(BTC)
    assert stored.equals(exchange.truth(BTC, OPENS, stored["open_time"][-1]))
    versions = [bar.close for bar in collected.published(BTC) if bar.open_time == opened]
    assert versions == [before.close, before.close + 1.25]
    opens = [bar.open_time for bar in collected.published(BTC)]
    assert len(opens) == len(set(opens)) + 1
    (address,) = collected.lake.addresses("candle_revisions")
    (row,) = collected.lake.read(address).rows(named=True)
    assert (row["open_time"], row["old_close"], row["close"]) == (
        opened,
        before.close,
        before.close + 1.25,
    )


def test_after_a_restart_what_was_missed_is_filled_and_published_once(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path)
        collected.run_until(minutes=2)
        time.sleep(1.0)
        progress = collected.run_until(minutes=8)
        assert progress.filled >= 6
    assert_nothing_lost(collected)


def test_what_others_stored_meanwhile_is_published_too(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))
        collected.run_until(minutes=1)
        time.sleep(1.0)
        newest = collected.candles.newest(BTC)
        rows = exchange.truth(BTC, newest, newest + timedelta(minutes=3))
        (address,) = collected.lake.addresses("raw_candles")
        collected.lake.upsert(address, rows, key="open_time", fingerprint="an hourly refresh")
        collected.run_until(minutes=8)
    assert_nothing_lost(collected)


def test_an_exchange_that_answers_nonsense_is_asked_again(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        exchange.rest.script("klines", [html(), truncated(), html(502)])
        collected = Collected(exchange, tmp_path)
        collected.run_until(minutes=4)
    assert_nothing_lost(collected)


def test_during_a_pause_that_the_venue_asked_for_nothing_is_asked(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))
        collected.run_until(minutes=1)
        exchange.rest.script("klines", [rate_limited("1", status=418)])
        exchange.rest.requests.clear()
        times: list[tuple[float, int, int]] = []

        def note(_: Progress) -> bool:
            sockets = exchange.sockets.counts["connections"]
            times.append((time.monotonic(), exchange.rest.requests.total(), sockets))
            return collected.has(minutes=10)

        collected.run(note)
    # From the refusal on there is a second without any request or new connection.
    counts = [(requests, sockets) for _, requests, sockets in times]
    longest = max(
        max(t for (t, *_), c in zip(times, counts, strict=True) if c == count)
        - min(t for (t, *_), c in zip(times, counts, strict=True) if c == count)
        for count in set(counts)
    )
    assert longest > 0.9
    assert_nothing_lost(collected)


@pytest.mark.redis
def test_redis_restarted_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path):
    with own_server(tmp_path) as server, live_exchange(SPEED) as exchange:
        stream = RedisStream(server.url, "collect")
        collected = Collected(exchange, tmp_path, stream=stream)
        problems: list[str] = []

        def restart(progress: Progress) -> bool:
            if collected.has(minutes=2) and not problems:
                server.kill()
                problems.append("killed")
            if progress.problem not in {"", problems[-1] if problems else ""}:
                problems.append(progress.problem)
            if collected.has(minutes=6) and len(problems) > 1 and not is_answering(server.url):
                server.start()
            return collected.has(minutes=12) and not progress.problem

        progress = collected.run(restart)
        assert "does not answer" in problems[1]
        assert progress.published > 10
        assert_nothing_lost(collected)
        stream.close()


@pytest.mark.redis
def test_while_redis_refuses_to_store_candles_are_stored_and_published_later(tmp_path: Path):
    import redis

    with own_server(tmp_path) as server, live_exchange(SPEED) as exchange:
        stream = RedisStream(server.url, "collect")
        with redis.Redis.from_url(server.url) as admin:
            collected = Collected(exchange, tmp_path, stream=stream)
            admin.set("filler", b"x" * 1_000_000)
            stages: list[str] = []

            def refuse(progress: Progress) -> bool:
                if collected.has(minutes=2) and not stages:
                    admin.config_set("maxmemory", 1)
                    stages.append("full")
                if stages == ["full"] and progress.problem and collected.has(minutes=6):
                    assert "refused a command" in progress.problem
                    admin.config_set("maxmemory", 0)
                    stages.append("free")
                return stages == ["full", "free"] and collected.has(12) and not progress.problem

            collected.run(refuse)
        assert_nothing_lost(collected)
        stream.close()


def test_an_event_that_is_no_candle_does_not_keep_a_collector_from_starting(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path, symbols=(BTC,))
        collected.events.publish(CANDLES, "foreign", {"hello": "world"})
        collected.run(lambda _: collected.has(minutes=1))
        bars = published_bars(collected.events.newest(CANDLES), Series("binance", BTC, MINUTE))
    assert bars


@pytest.mark.redis
def test_without_its_stream_a_collector_does_not_start(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        stream = RedisStream("redis://127.0.0.1:1/0", "collect")
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            Collected(exchange, tmp_path, stream=stream).run(lambda _: False)


def test_nobody_stores_a_candle_that_is_still_open(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        collected = Collected(exchange, tmp_path)
        looks: list[bool] = []

        def look(_: Progress) -> bool:
            now = exchange.clock.now()
            for symbol in collected.symbols:
                newest = collected.candles.newest(symbol)
                looks.append(newest is None or newest + timedelta(minutes=1) <= now)
            return collected.has(minutes=8)

        collected.run(look)
    assert len(looks) > 20
    assert all(looks)
    assert collected.stored(BTC).select(pl.col("volume") > 0)["volume"].all()
