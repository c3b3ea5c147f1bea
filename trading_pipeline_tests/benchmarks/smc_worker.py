"""Computes with smartmoneyconcepts, in its own environment: ``smc_worker.py INPUT LENGTH``.

Lines in: ``zones`` or ``all`` computes, ``save PATH`` writes what was computed last.
"""

import sys
import warnings

import numpy as np


def zones(candles, length):
    from smartmoneyconcepts import smc

    swings = smc.swing_highs_lows(candles, length)
    return {
        "swings": swings,
        "gaps": smc.fvg(candles),
        "structure": smc.bos_choch(candles, swings),
        "blocks": smc.ob(candles, swings),
        "liquidity": smc.liquidity(candles, swings),
    }


def everything(candles, length):
    from smartmoneyconcepts import smc

    found = zones(candles, length)
    for period in ("1D", "W"):
        found[period] = smc.previous_high_low(candles, period)
    for session in ("Tokyo", "London", "New York"):
        found[session] = smc.sessions(candles, session)
    found["retracements"] = smc.retracements(candles, found["swings"])
    return found


def main():
    import pandas as pd

    warnings.filterwarnings("ignore")
    stored = np.load(sys.argv[1])
    length = int(sys.argv[2])
    columns = {name: stored[name] for name in ("open", "high", "low", "close", "volume")}
    candles = pd.DataFrame(columns, index=pd.to_datetime(stored["open_time"], unit="us"))
    found = {}
    for line in sys.stdin:
        word, _, path = line.strip().partition(" ")
        if word == "save":
            arrays = {
                f"{name}.{column}": frame[column].to_numpy(dtype=float)
                for name, frame in found.items()
                for column in frame.columns
            }
            np.savez(path, **arrays)
        else:
            found = {"zones": zones, "all": everything}[word](candles, length)
        sys.stdout.write(f"worker: {word}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
