"""Finding out what became of an order whose sending did not end with an answer."""

from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import VenueError
from trading_pipeline.core.orders import OrderStatus
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint, survive
from trading_pipeline.execution.order import NEEDED_MISSES, RESOLVABLE, AccountId, Order
from trading_pipeline.execution.ports import Broker, OrderStore


def resolve(
    order: Order,
    store: OrderStore,
    broker: Broker,
    clock: Clock,
    *,
    crash_point: CrashHook = survive,
) -> Order:
    """Return ``order`` after asking the venue about it by its client id.

    Never sends. That the venue does not know the order proves something only after the proof
    horizon, and only the second time. A venue that does not answer changes nothing.
    """
    if order.status is OrderStatus.SENDING:
        order = store.mark_unknown(
            order.client_order_id, "the process ended while sending", clock.now()
        )
        crash_point(CrashPoint.AFTER_UNKNOWN)
    if order.status not in RESOLVABLE or order.sent_at is None:
        return order
    try:
        answer = broker.find(order.request, sent_at=order.sent_at)
    except VenueError:
        return order
    if answer is not None:
        crash_point(CrashPoint.RESOLVER_FOUND)
        return store.apply_answer(order.client_order_id, answer, broker.venue, clock.now())
    return _not_found(order, store, broker, clock, crash_point)


def recover(
    store: OrderStore,
    broker: Broker,
    clock: Clock,
    account: AccountId,
    *,
    crash_point: CrashHook = survive,
) -> tuple[Order, ...]:
    """Resolve every order of ``account`` that was sent and is not proven over; return them."""
    return tuple(
        resolve(order, store, broker, clock, crash_point=crash_point)
        for order in store.orders(account, statuses=RESOLVABLE)
    )


def _not_found(
    order: Order, store: OrderStore, broker: Broker, clock: Clock, crash_point: CrashHook
) -> Order:
    now = clock.now()
    assert order.sent_at is not None
    if order.status is not OrderStatus.UNKNOWN:
        return store.change_status(
            order.client_order_id,
            OrderStatus.QUARANTINED,
            f"{broker.venue} acknowledged the order and no longer knows it",
            now,
        )
    if now <= order.sent_at + broker.proof_horizon:
        return order
    order = store.record_miss(order.client_order_id, now)
    crash_point(CrashPoint.BETWEEN_MISSES)
    if order.status is not OrderStatus.UNKNOWN or order.misses < NEEDED_MISSES:
        return order
    order = store.change_status(
        order.client_order_id,
        OrderStatus.NOT_PLACED,
        f"{broker.venue} did not know it {order.misses} times after it could have arrived",
        now,
    )
    crash_point(CrashPoint.AFTER_NOT_PLACED)
    return order
