"""Fees, slippage, triggers and fills in integer ticks and lots: one source for every engine.

Units
-----
Prices are int64 **ticks**, quantities int64 **lots**, money int64 **quote units**: one unit is
one tick times one lot, so that price times quantity is exact. Rates are int64 **parts per
million** (ppm); 1 bp is 100 ppm.

Rounding
--------
Always against the trader: slippage rounds to the worse tick, fees round up to the next unit,
quantities round down to the lot, stops and targets round away from the entry.

The kernels are plain Python functions that numba also compiles into the loops that call them
(``register_jitable``), so that paper fills and backtest fills are the same lines.
"""
