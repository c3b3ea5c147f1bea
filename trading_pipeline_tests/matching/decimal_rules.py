"""The rules of matching once more, in Decimal and words: slow, obvious, and nobody's kernel."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from trading_pipeline.core.instrument import Instrument

DIGITS = 80


def on_grid(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        return (amount / step).to_integral_value(rounding) * step


def fill_price(reference: Decimal, side: int, slippage_bps: Decimal, tick: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        worse = reference * (1 + side * slippage_bps / 10_000)
        if side > 0:
            return on_grid(worse, tick, ROUND_CEILING)
        return max(on_grid(worse, tick, ROUND_FLOOR), tick)


def fee(notional: Decimal, fee_bps: Decimal, instrument: Instrument) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        unit = instrument.tick_size * instrument.lot_size
        return on_grid(notional * fee_bps / 10_000, unit, ROUND_CEILING)


def stop_price(entry: Decimal, side: int, stop: Decimal, tick: Decimal) -> Decimal | None:
    return _level(entry, -side, stop, tick)


def target_price(entry: Decimal, side: int, target: Decimal, tick: Decimal) -> Decimal | None:
    return _level(entry, side, target, tick)


def _level(entry: Decimal, away: int, fraction: Decimal, tick: Decimal) -> Decimal | None:
    if fraction == 0:
        return None
    with localcontext() as context:
        context.prec = DIGITS
        rounding = ROUND_CEILING if away > 0 else ROUND_FLOOR
        level = on_grid(entry * (1 + away * fraction), tick, rounding)
    return level if level > 0 else None


def exit_inside(
    side: int,
    stop: Decimal | None,
    target: Decimal | None,
    bar: tuple[Decimal, Decimal, Decimal],
) -> tuple[str, Decimal] | None:
    open_, high, low = bar
    if side > 0:
        if stop is not None and low <= stop:
            return "stop_loss", min(open_, stop)
        if target is not None and high >= target:
            return "take_profit", target
        return None
    if stop is not None and high >= stop:
        return "stop_loss", max(open_, stop)
    if target is not None and low <= target:
        return "take_profit", target
    return None
