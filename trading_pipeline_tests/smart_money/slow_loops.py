"""Smart money the slow way: for each bar all that came before is searched again.

Every function takes columns as lists and says what its kernel must say, from the definitions of
``docs/smart_money.md``. ``labels_of`` and what takes labels follow smartmoneyconcepts 0.0.27,
which sees the whole series; the others know at a bar what its close has shown.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """A swing: 1 for a high, -1 for a low."""

    at: int
    kind: int
    level: float


def swing_at(c, at, length):
    """Return 1, -1 or 0 for the bar ``at``, which needs ``length`` bars after it."""
    if at < 2 * length - 1:
        return 0
    window = range(at - length + 1, at + length + 1)
    if c["high"][at] == max(c["high"][i] for i in window):
        return 1
    if c["low"][at] == min(c["low"][i] for i in window):
        return -1
    return 0


def labels_of(c, length, stop):
    """Return the labels that the first ``stop`` bars make known: the extreme of each run."""
    found = []
    for at in range(max(stop - length, 0)):
        kind = swing_at(c, at, length)
        if kind == 0:
            continue
        level = c["high" if kind == 1 else "low"][at]
        if not found or found[-1].kind != kind:
            found.append(Label(at, kind, level))
        elif kind * level > kind * found[-1].level:
            found[-1] = Label(at, kind, level)
    return found


def newest(labels, kind):
    """Return the newest label of a kind; None without one."""
    return next((label for label in reversed(labels) if label.kind == kind), None)


def swings(c, length):
    """Return (known_at, change, direction, origin) of every label and every replaced one."""
    events, before = [], []
    for t in range(len(c["high"])):
        now = labels_of(c, length, t + 1)
        gone = [label for label in before if label not in now]
        events += [(t, "replaced", label.kind, label.at) for label in gone]
        events += [(t, "formed", label.kind, label.at) for label in now if label not in before]
        before = now
    return events


def gaps(c):
    """Return (known_at, change, direction, origin, top, bottom) of the gaps."""
    events = []
    n = len(c["high"])
    for middle in range(1, n - 1):
        rises = c["close"][middle] > c["open"][middle]
        falls = c["close"][middle] < c["open"][middle]
        before, after = middle - 1, middle + 1
        if rises and c["high"][before] < c["low"][after]:
            side, top, bottom = 1, c["low"][after], c["high"][before]
            entered = [t for t in range(after + 1, n) if c["low"][t] <= top]
            filled = [t for t in range(after + 1, n) if c["low"][t] <= bottom]
        elif falls and c["low"][before] > c["high"][after]:
            side, top, bottom = -1, c["low"][before], c["high"][after]
            entered = [t for t in range(after + 1, n) if c["high"][t] >= bottom]
            filled = [t for t in range(after + 1, n) if c["high"][t] >= top]
        else:
            continue
        events.append((after, "created", side, middle, top, bottom))
        for change, bars in (("filled_in_part", entered), ("filled", filled)):
            events += [(t, change, side, middle, top, bottom) for t in bars[:1]]
    return events


def block_life(c, side, origin, born):
    """Return (bar, change) of what happens to a block after the bar that made it."""
    top, bottom, n = c["high"][origin], c["low"][origin], len(c["high"])
    later = range(born + 1, n)
    if side == 1:
        touched = [t for t in later if c["low"][t] <= top]
        mitigated = [t for t in later if c["low"][t] < bottom]
    else:
        touched = [t for t in later if c["high"][t] >= bottom]
        mitigated = [t for t in later if c["high"][t] > top]
    life = [(t, "touched") for t in touched[:1]] + [(t, "mitigated") for t in mitigated[:1]]
    if mitigated:
        if side == 1:
            back = [t for t in range(mitigated[0] + 1, n) if c["high"][t] > top]
            beyond = [t for t in range(mitigated[0], n) if c["close"][t] < bottom]
        else:
            back = [t for t in range(mitigated[0] + 1, n) if c["low"][t] < bottom]
            beyond = [t for t in range(mitigated[0], n) if c["close"][t] > top]
        life += [(t, "reclaimed") for t in back[:1]]
        life += [(t, "invalidated") for t in beyond[:1] if not back or t < back[0]]
    return life


def blocks(c, newest_label):
    """Return (known_at, change, direction, origin) of the blocks.

    ``newest_label(t, kind)`` is the label that is in force at bar ``t``.
    """
    events = []
    for side in (1, -1):
        broken, made = set(), set()
        for t in range(len(c["high"])):
            label = newest_label(t, side)
            if label is None or label.at in broken:
                continue
            if side * c["close"][t] <= side * label.level:
                continue
            broken.add(label.at)
            between = range(label.at + 1, t)
            if side == 1:
                extreme = min(c["low"][i] for i in between)
                origin = max(i for i in between if c["low"][i] == extreme)
            else:
                extreme = max(c["high"][i] for i in between)
                origin = max(i for i in between if c["high"][i] == extreme)
            if origin in made:
                continue
            made.add(origin)
            events.append((t, "created", side, origin))
            events += [
                (bar, change, side, origin) for bar, change in block_life(c, side, origin, t)
            ]
    return events


def pools(c, length, tolerance):
    """Return (known_at, change, direction, origin, value) of pools of two swings and more."""
    events = []
    for side in (1, -1):
        waiting = []
        before = []
        for t in range(len(c["high"])):
            price = c["high"][t] if side == 1 else -c["low"][t]
            for pool in [p for p in waiting if price >= p["sweep"]][::-1]:
                waiting.remove(pool)
                if len(pool["levels"]) > 1:
                    is_back = side * c["close"][t] <= max(pool["levels"])
                    events.append((t, "swept", side, pool["first"], float(is_back)))
            now = labels_of(c, length, t + 1)
            for label in (x for x in now if x not in before and x.kind == side):
                gone = [x for x in before if x not in now]
                is_newest = gone and waiting and waiting[-1]["first"] == gone[0].at
                if is_newest and len(waiting[-1]["levels"]) == 1:
                    waiting.pop()
                level = side * label.level
                home = [p for p in waiting if p["from"] <= level <= p["to"]]
                if home:
                    home[0]["levels"].append(level)
                    n = len(home[0]["levels"])
                    change = "created" if n == 2 else "extended"
                    events.append((t, change, side, home[0]["first"], float(n)))
                    continue
                pool = {"first": label.at, "levels": [level], "from": level - tolerance[t]}
                pool["to"] = level + tolerance[t]
                pool["sweep"] = min([pool["to"], *(p["sweep"] for p in waiting)])
                waiting.append(pool)
            before = now
    return events


def library_structure(c, labels):
    """Return {(origin, direction, kind): broken} as smartmoneyconcepts labels a whole series.

    With exact prices: the library rounds levels to float32. Also returns what it takes back: breaks
    of older swings that a younger one, known later, had already broken.
    """
    found = {}
    for i in range(3, len(labels)):
        one, two, three, four = (x.level * labels[i].kind for x in labels[i - 3 : i + 1])
        swing = labels[i - 2]
        if one < three < two < four:
            found[swing.at] = (swing.kind, "bos", swing.level)
        elif three < one < two < four:
            found[swing.at] = (swing.kind, "choch", swing.level)
    broken, dropped = {}, {}
    for at in sorted(found):
        side, _, level = found[at]
        beyond = (t for t in range(at + 2, len(c["close"])) if side * (c["close"][t] - level) > 0)
        bar = next(beyond, None)
        if bar is None:
            continue
        for older in [k for k in broken if k < at and broken[k] >= bar]:
            dropped[older] = broken.pop(older)
        broken[at] = bar
    kept = {(at, *found[at][:2]): bar for at, bar in broken.items()}
    return kept, {(at, *found[at][:2]): bar for at, bar in dropped.items()}
