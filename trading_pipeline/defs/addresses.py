"""Where the cells of a table lie in the lake."""

from trading_pipeline.adapters.storage.addresses import Address, month_address, symbol_address
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.partitions import Cell

# Tables with rows of several timeframes have these as a column; their folders say the timeframe of
# the candles that the rows were made from, under a name of its own, or SQL could not tell the two.
_SEVERAL_TIMEFRAMES = ("resampled_candles",)


def address_of(venue: str, timeframe: Timeframe, table: str, cell: Cell) -> Address:
    """Return the address of a cell of ``table``."""
    if cell.symbol is None:
        return Address(table)
    address = (
        symbol_address(table, venue, cell.symbol, timeframe)
        if cell.month is None
        else month_address(table, venue, cell.symbol, timeframe, cell.month)
    )
    if table not in _SEVERAL_TIMEFRAMES:
        return address
    return Address(
        table, tuple(("base_" + n if n == "timeframe" else n, v) for n, v in address.columns)
    )
