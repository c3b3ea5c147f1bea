"""Builders of signals, orders and fills, and stand-ins for quotes, clocks and venues."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading_pipeline.core.errors import VenueUnavailableError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import Fill, OrderRequest, OrderStatus, Side
from trading_pipeline.execution.live_signal import DecisionInput, LiveSignal
from trading_pipeline.execution.order import AccountId, BrokerAnswer, Order
from trading_pipeline.signals.signal import Signal, SignalStatus, Vote

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
PAPER = AccountId("desk", "paper")
HOUR = timedelta(hours=1)
CANDLE = datetime(2024, 3, 1, 11, tzinfo=UTC)
NOW = datetime(2024, 3, 1, 12, 0, 5, tzinfo=UTC)


def d(text: str | int) -> Decimal:
    return Decimal(text)


def make_instrument(symbol: Symbol = BTC, **changes: Decimal) -> Instrument:
    rules = {
        "tick_size": d("0.01"),
        "lot_size": d("0.00001"),
        "min_quantity": d("0.00001"),
        "min_notional": d("5"),
    }
    return Instrument(symbol, **(rules | changes))


INSTRUMENTS = {BTC: make_instrument(BTC), ETH: make_instrument(ETH, lot_size=d("0.0001"))}


def make_signal(
    direction: int = 1,
    symbol: Symbol = BTC,
    *,
    candle: datetime = CANDLE,
    price: str = "60000",
    status: SignalStatus = SignalStatus.ACTIVE,
    account: AccountId = PAPER,
    strategy: str = "aggregate",
    version: str = "1",
    known_at: datetime | None = None,
) -> LiveSignal:
    """Return a live signal of a 1h candle with two votes."""
    return LiveSignal(
        account=account,
        strategy=strategy,
        version=version,
        signal=Signal(
            symbol=symbol.key,
            timeframe="1h",
            candle_open_time=candle,
            direction=direction,
            strength=0.6,
            status=status,
            reason="two of two agree",
            known_at=known_at or candle + HOUR + timedelta(seconds=2),
            votes=(
                Vote("rsi", direction, 0.25, SignalStatus.ACTIVE, "oversold"),
                Vote("forecast", 0, 0.0, SignalStatus.ABSTAINED, "blocked by a gap"),
            ),
        ),
        decision=DecisionInput(d(price), "model-7", {"rsi_14": 0.31, "warm": None, "n": 3}),
        recorded_at=NOW,
    )


def make_request(
    client_order_id: str = "tp0001",
    side: Side = Side.BUY,
    quantity: str = "1",
    *,
    symbol: Symbol = BTC,
    price: str = "100",
) -> OrderRequest:
    return OrderRequest(client_order_id, symbol, side, d(quantity), d(price))


def make_order(
    live: LiveSignal,
    request: OrderRequest,
    status: OrderStatus = OrderStatus.INTENT,
    *,
    attempt: int = 1,
    **changes: object,
) -> Order:
    fields: dict[str, object] = {
        "signal_id": live.signal_id,
        "account": live.account,
        "leg": "signal",
        "attempt": attempt,
        "request": request,
        "status": status,
        "detail": "",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Order(**(fields | changes))


def make_fill(
    trade_id: str = "t1",
    quantity: str = "1",
    price: str = "100",
    *,
    side: Side = Side.BUY,
    fee: str = "0",
    symbol: Symbol = BTC,
    client_order_id: str = "tp0001",
    executed_at: datetime = NOW,
) -> Fill:
    return Fill(trade_id, client_order_id, symbol, side, d(quantity), d(price), d(fee), executed_at)


@dataclass
class SettableClock:
    """A clock that tests move by hand."""

    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant


@dataclass
class Prices:
    """Quotes by symbol; a symbol without one answers as a venue that is down."""

    by_symbol: Mapping[Symbol, Decimal]
    asked: list[Symbol] = field(default_factory=list)

    def quote(self, symbol: Symbol) -> Decimal:
        self.asked.append(symbol)
        if symbol not in self.by_symbol:
            raise VenueUnavailableError(f"no price of {symbol}")
        return self.by_symbol[symbol]


@dataclass
class Exchange:
    """A venue with the rules that hurt: a sent id twice fills twice, and answers get lost.

    ``faults`` says, for each ``place`` in turn, what happens: ``ok``, ``lost_before`` (never
    arrives), ``lost_after`` (filled, the answer is lost), ``refused``, ``partial`` (half now, the
    rest when asked), ``open`` (acknowledged, fills when asked), ``duplicate`` (the fill comes
    twice), ``overfill``, ``late`` (arrives after the first question).
    """

    faults: list[str] = field(default_factory=list)
    venue: str = "sim"
    proof_horizon: timedelta = timedelta(seconds=20)
    executed: list[Fill] = field(default_factory=list)
    placed: int = 0
    questions: int = 0
    is_down: bool = False
    delayed: list[tuple[OrderRequest, datetime]] = field(default_factory=list)

    def place(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer:
        self.placed += 1
        fault = self.faults.pop(0) if self.faults else "ok"
        match fault:
            case "lost_before":
                raise VenueUnavailableError("connection reset")
            case "late":
                self.delayed.append((request, sent_at))
                raise VenueUnavailableError("timeout")
            case "refused":
                return BrokerAnswer(OrderStatus.REJECTED, detail="-2010 insufficient balance")
            case "lost_after":
                self._fill(request, request.quantity, sent_at)
                raise VenueUnavailableError("502 after execution")
            case "partial":
                half = request.quantity / 2
                return BrokerAnswer(OrderStatus.PARTIAL, (self._fill(request, half, sent_at),))
            case "open":
                self.delayed.append((request, sent_at))
                return BrokerAnswer(OrderStatus.OPEN)
            case "duplicate":
                fill = self._fill(request, request.quantity, sent_at)
                return BrokerAnswer(OrderStatus.FILLED, (fill, fill))
            case "overfill":
                fill = self._fill(request, request.quantity * 2, sent_at)
                return BrokerAnswer(OrderStatus.FILLED, (fill,))
            case _:
                fill = self._fill(request, request.quantity, sent_at)
                return BrokerAnswer(OrderStatus.FILLED, (fill,))

    def find(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer | None:
        self.questions += 1
        if self.is_down:
            raise VenueUnavailableError("maintenance")
        own = self._fills_of(request)
        filled = sum((fill.quantity for fill in own), Decimal(0))
        if own and filled < request.quantity:
            self._fill(request, request.quantity - filled, sent_at)
        answer = self._fills_of(request)
        for delayed in list(self.delayed):
            self.delayed.remove(delayed)
            self._fill(delayed[0], delayed[0].quantity, delayed[1])
        return BrokerAnswer(OrderStatus.FILLED, answer) if answer else None

    def _fills_of(self, request: OrderRequest) -> tuple[Fill, ...]:
        return tuple(f for f in self.executed if f.client_order_id == request.client_order_id)

    def _fill(self, request: OrderRequest, quantity: Decimal, at: datetime) -> Fill:
        fill = Fill(
            f"x{len(self.executed) + 1}",
            request.client_order_id,
            request.symbol,
            request.side,
            quantity,
            request.reference_price,
            request.reference_price * quantity / 1000,
            at,
        )
        self.executed.append(fill)
        return fill
