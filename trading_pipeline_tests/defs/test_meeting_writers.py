"""Writers of the pipeline that meet on one month: nobody's work is lost, no clock turned back."""

from datetime import timedelta

import pytest

from trading_pipeline import wiring
from trading_pipeline.core.errors import LakeConflictError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import Made, StoredTable, commit, make_and_commit
from trading_pipeline.defs.market_data.months import newest_notes
from trading_pipeline.defs.partitions import Cell
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.pipelines import make_settings

CELL = Cell(Symbol("BTC", "USDT"), Month(2024, 1))


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path, ())


@pytest.fixture
def lake(settings):
    return wiring.lake(settings)


def _table(lake, settings) -> StoredTable:
    return StoredTable(lake, settings, "candles")


def test_a_month_that_another_writer_replaced_meanwhile_is_made_again(lake, settings):
    table = _table(lake, settings)
    turns = []

    def make() -> Made:
        turns.append(len(turns) + 1)
        if turns == [1]:
            lake.commit(table.address(CELL), make_candles(20), fingerprint="theirs")
        return Made(make_candles(30), {"turn": len(turns)})

    _, manifest = make_and_commit(lake, table, CELL, make, "ours")
    assert turns == [1, 2]
    assert (manifest.generation, manifest.n_rows, manifest.notes) == (2, 30, {"turn": 2})
    # What it was made from may be newer than what the mark tells: the next run looks again.
    assert manifest.fingerprint not in ("ours", "theirs")


def test_a_month_that_nobody_touches_is_made_once_under_its_mark(lake, settings):
    made, manifest = make_and_commit(
        lake, _table(lake, settings), CELL, lambda: Made(make_candles(30)), "ours"
    )
    assert (made.rows.height, manifest.generation, manifest.fingerprint) == (30, 1, "ours")


def test_a_month_that_is_replaced_again_and_again_is_left_to_the_others(lake, settings):
    table = _table(lake, settings)
    turns = iter(range(1, 100))

    def make() -> Made:
        lake.commit(table.address(CELL), make_candles(20 + next(turns)), fingerprint="theirs")
        return Made(make_candles(5))

    with pytest.raises(LakeConflictError, match="read it and make it again"):
        make_and_commit(lake, table, CELL, make, "ours")
    assert lake.read(table.address(CELL)).height == 23


def test_a_slow_fetch_does_not_turn_the_clock_of_a_month_back(lake, settings):
    table = _table(lake, settings)
    quick = {"as_of": "2024-01-20T12:00:00+00:00", "source": "quick"}
    slow = {"as_of": "2024-01-20T11:00:00+00:00", "source": "slow"}
    candles = make_candles(48)
    for rows, notes in ((candles[:40], quick), (candles[30:], slow)):
        made = Made(rows, notes, merge=True, notes_after=newest_notes)
        manifest = commit(lake, table, CELL, made, notes["source"])
    assert manifest.notes == quick
    assert lake.read(table.address(CELL)).equals(candles)
    later = {**slow, "as_of": "2024-01-20T13:00:00+00:00"}
    made = Made(candles, later, merge=True, notes_after=newest_notes)
    assert commit(lake, table, CELL, made, "later").notes == later


def test_a_refresh_of_the_live_month_writes_little(lake, settings):
    table = StoredTable(lake, settings, "raw_candles")
    candles = make_candles(700)
    for start, end in ((0, 690), (689, 692)):
        made = Made(candles[start:end], {"as_of": "2024-01"}, merge=True, notes_after=newest_notes)
        manifest = commit(lake, table, CELL, made, str(end))
    assert [part.n_rows for part in manifest.parts] == [690, 2]
    assert lake.read(table.address(CELL)).equals(candles[:692])
    assert candles["open_time"][691] - candles["open_time"][0] == timedelta(hours=691)


def test_a_lake_of_a_profile_may_stand_in_a_folder_of_its_own(tmp_path):
    settings = make_settings(tmp_path / "data", (), storage={"lake_root": str(tmp_path / "big")})
    table = _table(wiring.lake(settings), settings)
    commit(wiring.lake(settings), table, CELL, Made(make_candles(3)), "a")
    assert (tmp_path / "big" / "candles" / "venue=trial").is_dir()


def _with_notes(lake, table, rows, hour: int, unexplained: int) -> None:
    notes = {"as_of": f"2024-01-20T{hour:02}:00:00+00:00", "unexplained": unexplained}
    lake.commit(table.address(CELL), rows, fingerprint=str(hour), notes=notes)


def test_a_table_gives_rows_and_notes_of_one_generation(lake, settings):
    table = _table(lake, settings)
    _with_notes(lake, table, make_candles(20), 8, 0)
    assert table.notes(CELL)["unexplained"] == 0
    _with_notes(lake, table, make_candles(30), 10, 1)
    assert table.rows(CELL).equals(make_candles(20))
    # The third generation deletes the parts of the first; what is asked from here on is the newest.
    _with_notes(lake, table, make_candles(35), 11, 2)
    assert table.rows(CELL).equals(make_candles(35))
    assert table.notes(CELL)["unexplained"] == 2


def test_what_is_made_again_after_a_conflict_is_made_from_the_newest_inputs(lake, settings):
    raw, beside = (StoredTable(lake, settings, name) for name in ("raw_candles", "signals"))
    table = _table(lake, settings)
    for one in (raw, beside):
        _with_notes(lake, one, make_candles(20), 8, 0)
    mark = f"{raw.content(CELL)} {beside.content(CELL)}"
    turns = []

    def make() -> Made:
        made = Made(raw.rows(CELL), {**raw.notes(CELL), "beside": dict(beside.notes(CELL))})
        turns.append(made.rows.height)
        if len(turns) == 1:
            for one in (raw, beside, table):
                _with_notes(lake, one, make_candles(30), 10, 1)
        return made

    _, manifest = make_and_commit(lake, table, CELL, make, mark)
    assert turns == [20, 30]
    told = {"as_of": "2024-01-20T10:00:00+00:00", "unexplained": 1}
    assert (manifest.n_rows, manifest.notes) == (30, {**told, "beside": told})


def test_a_writer_with_older_inputs_than_what_is_stored_makes_it_from_newer_ones(lake, settings):
    raw, table = StoredTable(lake, settings, "raw_candles"), _table(lake, settings)
    _with_notes(lake, raw, make_candles(20), 8, 0)
    mark = str(raw.content(CELL))
    # The quick writer is through before the slow one looks at what it is to replace.
    for one in (raw, table):
        _with_notes(lake, one, make_candles(30), 10, 1)
    _, manifest = make_and_commit(
        lake, table, CELL, lambda: Made(raw.rows(CELL), raw.notes(CELL)), mark
    )
    assert manifest.notes == {"as_of": "2024-01-20T10:00:00+00:00", "unexplained": 1}
    assert (manifest.n_rows, manifest.fingerprint == mark) == (30, False)


def test_a_writer_that_is_too_late_leaves_the_companions_of_the_other(lake, settings):
    table = _table(lake, settings)
    theirs, ours = make_candles(3), make_candles(5)
    commit(lake, table, CELL, Made(make_candles(20), companions={"candle_gaps": theirs}), "a", 0)
    with pytest.raises(LakeConflictError, match="generation 0, but another writer committed"):
        commit(lake, table, CELL, Made(make_candles(9), companions={"candle_gaps": ours}), "b", 0)
    assert StoredTable(lake, settings, "candle_gaps").rows(CELL).equals(theirs)


def test_a_source_that_itself_went_back_is_followed(lake, settings):
    raw, table = StoredTable(lake, settings, "raw_candles"), _table(lake, settings)
    _with_notes(lake, table, make_candles(30), 10, 0)
    _with_notes(lake, raw, make_candles(20), 8, 0)
    _, manifest = make_and_commit(
        lake, table, CELL, lambda: Made(raw.rows(CELL), raw.notes(CELL)), "shorter files"
    )
    assert (manifest.n_rows, manifest.notes["as_of"]) == (20, "2024-01-20T08:00:00+00:00")
