"""What may fill a hole and what may not, one rule after the other."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trading_pipeline.core.errors import RateLimitedError, VenueUnavailableError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.market_data.quality_notes import proof_notes, proofs_from
from trading_pipeline.market_data.gaps import Gap, GapClass, find_gaps
from trading_pipeline.market_data.ports import SecondSource
from trading_pipeline.market_data.repair import Repair, repair_gaps, with_fills
from trading_pipeline_tests.builders import make_candles

BTC, HOUR = Symbol("BTC", "USDT"), Timeframe("1h")
START = datetime(2024, 1, 1, tzinfo=UTC)
WHOLE = make_candles(100, start=START)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def without(*hours: int) -> pl.DataFrame:
    return WHOLE.filter(~pl.col("open_time").is_in([at(hour) for hour in hours]))


GAP = Gap(at(40), at(43), 3, GapClass.UNEXPLAINED)


@dataclass
class Record:
    """Candles that somebody has; or the error that asking him ends in."""

    rows: pl.DataFrame
    error: Exception | None = None
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        self.asked.append((start, end))
        if self.error is not None:
            raise self.error
        return self.rows.filter(pl.col("open_time").is_between(start, end, closed="left"))


@dataclass
class Trades:
    answer: bool | None

    def traded(self, symbol: Symbol, start: datetime, end: datetime) -> bool | None:
        return self.answer


def elsewhere(rows: pl.DataFrame, name: str = "kraken") -> SecondSource:
    return SecondSource(name, same_venue=False, source=Record(rows))


def archive(rows: pl.DataFrame) -> SecondSource:
    return SecondSource("archive", same_venue=True, source=Record(rows))


def repaired(*others: SecondSource, gap: Gap = GAP, **options: object) -> Repair:
    given = {"venue": Record(without(40, 41, 42)), "venue_name": "binance", "record": "rest"}
    return repair_gaps([gap], BTC, HOUR, second_sources=others, **({"most": 9} | given | options))


def times(repair: Repair) -> list[datetime]:
    return [opened for fill in repair.fills for opened in fill.rows["open_time"]]


def test_the_venue_is_asked_once_more_and_its_candle_fills_the_hole():
    found = repaired(venue=Record(WHOLE))
    assert [(fill.source, fill.rows.height) for fill in found.fills] == [("binance", 3)]
    assert found.proofs == ()
    assert with_fills(without(40, 41, 42), found.fills).equals(WHOLE)


def test_another_record_of_the_same_venue_fills_what_the_venue_does_not_have():
    found = repaired(archive(without(41)), venue=Record(without(41, 42)))
    assert [(fill.source, fill.rows["open_time"].to_list()) for fill in found.fills] == [
        ("binance", [at(40)]),
        ("archive", [at(42)]),
    ]
    (proof,) = found.proofs
    assert (proof.start, proof.end) == (at(41), at(42))


def test_another_venue_never_fills_a_hole_and_says_that_there_was_trading():
    found = repaired(elsewhere(WHOLE))
    assert found.fills == ()
    (proof,) = found.proofs
    assert proof.kind is GapClass.UNEXPLAINED
    assert "kraken, another venue, has 3 candles there (not filled in)" in proof.evidence


def test_another_venue_that_is_silent_too_explains_the_hole():
    (proof,) = repaired(elsewhere(without(40, 41, 42))).proofs
    assert proof.kind is GapClass.SECOND_SOURCE


def test_a_venue_that_has_nothing_around_the_hole_is_no_witness():
    for rows in (WHOLE[:40], WHOLE[43:], WHOLE.clear()):
        (proof,) = repaired(elsewhere(rows)).proofs
        assert proof.kind is GapClass.UNEXPLAINED


def test_two_records_of_the_venue_that_lack_the_candle_agree():
    (proof,) = repaired(archive(without(40, 41, 42))).proofs
    assert proof.kind is GapClass.SECOND_SOURCE


def test_the_same_record_asked_again_is_no_second_source():
    rest = SecondSource("rest", same_venue=True, source=Record(without(40, 41, 42)))
    (proof,) = repaired(rest).proofs
    assert proof.kind is GapClass.UNEXPLAINED
    assert rest.source.asked == []


def test_of_a_source_that_joins_records_both_have_to_agree():
    lacking = without(40, 41, 42)
    rest = SecondSource("rest", same_venue=True, source=Record(lacking))
    (alone,) = repaired(archive(lacking), record=None).proofs
    assert alone.kind is GapClass.UNEXPLAINED
    (both,) = repaired(archive(lacking), rest, record=None).proofs
    assert both.kind is GapClass.SECOND_SOURCE


def test_no_trade_between_two_trades_explains_the_hole():
    (proof,) = repaired(trades=Trades(answer=False)).proofs
    assert proof.kind is GapClass.NO_TRADE
    assert "trades before and after, and none between" in proof.evidence


def test_a_candle_without_volume_shows_that_nobody_traded_and_is_not_filled_in():
    flat = WHOLE.with_columns(
        pl.when(pl.col("open_time").is_between(at(40), at(42)))
        .then(0.0)
        .otherwise(pl.col("volume"))
        .alias("volume")
    )
    found = repaired(archive(flat))
    assert found.fills == ()
    assert [proof.kind for proof in found.proofs] == [GapClass.NO_TRADE] * 3
    assert "zero volume" in found.proofs[0].evidence


def test_trades_in_the_hole_contradict_every_other_explanation():
    lacking = without(40, 41, 42)
    found = repaired(archive(lacking), elsewhere(lacking), trades=Trades(answer=True))
    (proof,) = found.proofs
    assert (proof.kind, proof.is_contradiction) == (GapClass.UNEXPLAINED, True)
    gaps = find_gaps(
        lacking["open_time"], HOUR, START, at(100), venue="x",
        others=[lacking["open_time"]], proofs=[proof],
    )  # fmt: skip
    assert [gap.kind for gap in gaps] == [GapClass.UNEXPLAINED]
    silent = find_gaps(
        lacking["open_time"], HOUR, START, at(100), venue="x", others=[lacking["open_time"]]
    )
    assert [gap.kind for gap in silent] == [GapClass.VENUE_SILENT]


def test_a_proof_says_whether_another_venue_traded():
    for there, is_said in ((WHOLE, True), (without(40, 41, 42), False)):
        (proof,) = repaired(elsewhere(there)).proofs
        assert proof.traded_elsewhere is is_said
        assert proofs_from({"asked": proof_notes([proof])}) == (proof,)


def test_trades_that_cannot_be_known_prove_nothing():
    (proof,) = repaired(trades=Trades(answer=None)).proofs
    assert proof.kind is GapClass.UNEXPLAINED


def test_a_candle_that_breaks_the_contract_is_refused_and_fills_nothing():
    broken = WHOLE.with_columns(
        pl.when(pl.col("open_time") == at(41)).then(0.01).otherwise(pl.col("high")).alias("high")
    )
    found = repaired(archive(broken))
    assert times(found) == [at(40), at(42)]
    row = found.refused.row(0, named=True)
    assert (row["open_time"], row["source"], row["high"]) == (at(41), "archive", 0.01)
    assert row["reason"] == "high below low"
    (proof,) = found.proofs
    assert (proof.start, proof.end) == (at(41), at(42))


def test_whoever_does_not_answer_is_named_and_the_others_are_asked():
    down = SecondSource(
        "archive", same_venue=True, source=Record(WHOLE, VenueUnavailableError("it is down"))
    )
    found = repaired(down, elsewhere(without(40, 41, 42)))
    (proof,) = found.proofs
    assert proof.kind is GapClass.SECOND_SOURCE
    assert "archive could not be asked (it is down)" in proof.evidence


def test_a_rate_limit_ends_the_asking_and_says_so():
    later = Gap(at(60), at(61), 1, GapClass.UNEXPLAINED)
    limited = Record(WHOLE, RateLimitedError("wait 60 s"))
    found = repair_gaps(
        [GAP, later], BTC, HOUR, venue=limited, venue_name="binance", record="rest", most=9
    )
    assert (found.fills, found.proofs) == ((), ())
    assert found.stopped == "asked about 0 of 2 gaps: wait 60 s"
    assert len(limited.asked) == 1


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_gaps_are_asked_about_than_allowed(most: int):
    holes = [Gap(at(h), at(h + 1), 1, GapClass.UNEXPLAINED) for h in (10, 20, 30)]
    venue = Record(without(10, 20, 30))
    found = repair_gaps(
        holes, BTC, HOUR, venue=venue, venue_name="binance", record="rest", most=most
    )
    assert [proof.start for proof in found.proofs] == [at(10), at(20), at(30)][:most]
    assert len(venue.asked) == most
    assert f"asked about {most} of 3 gaps" in found.stopped
