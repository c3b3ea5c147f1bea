"""What must hold of features and labels before a model reads them."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.month import Month
from trading_pipeline.defs.blueprints import pipeline_check
from trading_pipeline.defs.check_runs import Judgement, judge_partitions
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.partitions import Cell, rows_of

_CUTS = 3


@pipeline_check("indicator_features", blocking=True)
def indicators_do_not_repaint(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Stored indicators equal, bit for bit, what they were when their candle was the newest.

    The last candles of each month are replayed: the history is cut after a candle, computed
    again, and compared with the stored row.
    """
    from trading_pipeline.indicators.catalog import indicator_frame

    requests = wiring.indicator_requests(settings)
    return _replayed(
        context,
        StoredTable(lake, settings, "indicator_features"),
        settings,
        lambda candles: indicator_frame(candles, requests),
    )


@pipeline_check("smart_money_features", blocking=True)
def smart_money_does_not_repaint(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Stored smart money equals, bit for bit, what it was when its candle was the newest.

    Swings, breaks, blocks and gaps are usually drawn with hindsight; here nothing is. The last
    candles of each month are replayed: the history is cut after a candle, computed again, and
    compared with the stored row.
    """
    from trading_pipeline.smart_money.reading import read_market

    chosen = wiring.smart_money_settings(settings)
    return _replayed(
        context,
        StoredTable(lake, settings, "smart_money_features"),
        settings,
        lambda candles: read_market(candles, chosen).features,
    )


def _replayed(
    context: dg.AssetCheckExecutionContext,
    stored: StoredTable,
    settings: Settings,
    compute: Callable[[pl.DataFrame], pl.DataFrame],
) -> dg.AssetCheckResult:
    candles = stored.beside("candles")
    first = Month.parse(settings.market.history_start)

    def judge(cell: Cell) -> Judgement:
        rows = stored.rows(cell)
        if rows.is_empty():
            return Judgement(passed=True, description="no candles")
        history = candles.between(cell.named_symbol, first, cell.named_month)
        differing = []
        for position in _cuts(rows.height):
            opened = rows["open_time"][position]
            then = compute(history.filter(pl.col("open_time") <= opened))
            if not then.tail(1).equals(rows.slice(position, 1)):
                differing.append(opened.isoformat())
        return Judgement(
            not differing,
            f"rewritten later: {', '.join(differing)}"
            if differing
            else f"{len(_cuts(rows.height))} candles replayed, all as stored",
        )

    return judge_partitions(context, judge)


@pipeline_check("feature_matrix", blocking=True)
def features_keep_their_schema(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Columns are those of the settings, rows are those of the candles, values are finite.

    A row is either complete or wholly null: during the warm-up and after an unexplained gap.
    """
    from trading_pipeline.features.build import feature_names

    stored = StoredTable(lake, settings, "feature_matrix")
    candles = StoredTable(lake, settings, "candles")
    expected = feature_names(wiring.feature_settings(settings), wiring.indicator_requests(settings))

    def judge(cell: Cell) -> Judgement:
        rows = stored.rows(cell)
        faults = []
        if tuple(rows.columns) != ("open_time", *expected):
            faults.append(f"columns are {rows.columns[1:]}, the settings ask for {list(expected)}")
        if not rows["open_time"].equals(candles.rows(cell)["open_time"]):
            faults.append("rows are not those of the candles")
        values = rows.select(pl.exclude("open_time"))
        n_null = values.select(pl.sum_horizontal(pl.all().is_null())).to_series()
        n_partial = int(n_null.is_between(1, values.width - 1).sum())
        n_infinite = int(values.select(pl.any_horizontal(~pl.all().is_finite())).to_series().sum())
        if n_partial or n_infinite:
            faults.append(f"{n_partial} rows are null in part, {n_infinite} are not finite")
        return Judgement(not faults, "; ".join(faults) or f"{values.width} features are sound")

    return judge_partitions(context, judge)


@pipeline_check("labels", blocking=True)
def labels_ended_within_the_data(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """A label with a value ended after its candle and not after the newest candle."""
    from trading_pipeline.features.labels import unsettled_labels

    stored = StoredTable(lake, settings, "labels")
    candles = StoredTable(lake, settings, "candles")

    def judge(cell: Cell) -> Judgement:
        rows = rows_of(stored.rows(cell), cell.named_month)
        months = candles.months(cell.named_symbol)
        if not months:
            return Judgement(passed=False, description="labels without candles")
        timeframe = settings.market.timeframe
        end = candles.last_close(cell.named_symbol, months[0], months[-1], timeframe)
        wrong = unsettled_labels(rows, end)
        return Judgement(
            wrong.is_empty(),
            f"{wrong.height} labels break the promise, first {wrong.row(0)}"
            if wrong.height
            else f"{rows.height} labels are settled",
        )

    return judge_partitions(context, judge)


def _cuts(n_rows: int) -> list[int]:
    # The newest candles matter most: the live decision reads the last row.
    spread = {n_rows - 1, n_rows // 2, 0}
    return sorted(spread)[-_CUTS:]
