"""Quotes of a market that has candles only."""

from decimal import Decimal
from typing import TYPE_CHECKING

from trading_pipeline.core.errors import VenueUnavailableError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe

if TYPE_CHECKING:
    from trading_pipeline.market_data.ports import CandleSource


class LastCloseQuotes:
    """The close of the newest closed candle as the price, for candle files.

    Parameters
    ----------
    source : CandleSource
    timeframe : Timeframe
        Whose candles are asked.
    """

    def __init__(self, source: "CandleSource", timeframe: Timeframe) -> None:
        self._source = source
        self._timeframe = timeframe

    def quote(self, symbol: Symbol) -> Decimal:
        """Return the close of the newest closed candle.

        Raises
        ------
        VenueUnavailableError
            If that candle is missing: an older price is not a price of now.
        """
        opened = self._timeframe.last_closed_open(self._source.now())
        rows = self._source.candles(
            symbol, self._timeframe, opened, opened + self._timeframe.duration
        )
        if rows.is_empty():
            raise VenueUnavailableError(
                f"{symbol} has no candle at {opened.isoformat()}, so no price of now is known",
                symbol=symbol.key,
            )
        # Through text: the float's shortest decimal is the price that the file held.
        return Decimal(str(rows["close"][-1]))
