"""A machine whose clock runs ahead of the venue's decides a little later, not never."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading_pipeline import wiring
from trading_pipeline.adapters.clock import SteadyClock
from trading_pipeline.adapters.exchanges.simulated.market import SimulatedMarket
from trading_pipeline.adapters.exchanges.simulated.profile import demo_listings
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.pipelines import BTC, HOUR, QUIET, make_settings, open_pipeline

HOURLY = Timeframe("1h")
OPENS = datetime(2024, 3, 1, tzinfo=UTC)
EXPECTED = OPENS + timedelta(days=2, hours=11)
# The machine is 12 s ahead: three attempts two seconds apart would all come too early.
THERE = EXPECTED + HOUR - timedelta(seconds=12)


@dataclass
class Venue:
    """Its clock; it starts when it is first asked, however long the machine took until then."""

    clock: SteadyClock | None = None

    def now(self) -> datetime:
        self.clock = self.clock or SteadyClock(THERE)
        return self.clock.now()


def test_a_clock_that_is_seconds_fast_waits_until_the_venue_has_closed_the_candle(tmp_path: Path):
    market = SimulatedMarket(demo_listings(), HOURLY, OPENS, THERE + 2 * HOUR, seed=3)
    with serve_in_background(exchange_app(market, Venue())) as url:
        settings = make_settings(
            tmp_path,
            (),
            now=None,
            market={
                "venue": "binance",
                "base_url": url,
                "archive": False,
                "close_grace_s": 0.5,
                "history_start": "2024-03",
                "history_end": None,
            },
        )
        with open_pipeline(settings) as pipeline:
            config = {"symbol": BTC.key, "open_time": EXPECTED.isoformat()}
            result = pipeline.definitions.resolve_job_def("candle_close_job").execute_in_process(
                instance=pipeline.instance,
                run_config={"ops": {"close_candle": {"config": config}}, **QUIET},
                raise_on_error=False,
            )
        assert result.success
        with wiring.ledger(settings) as ledger:
            (signal,) = ledger.signals(wiring.account(settings))
    assert signal.signal.candle_open_time == EXPECTED
    # It waited once, for as long as it took.
    retried = [e for e in result.all_events if e.event_type_value == "STEP_UP_FOR_RETRY"]
    assert len(retried) == 1
