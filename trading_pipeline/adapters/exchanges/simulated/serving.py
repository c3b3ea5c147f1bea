"""Serve an ASGI application on this machine, in the background or until interrupted."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import uvicorn
from starlette.types import ASGIApp

from trading_pipeline.core.errors import ConfigError

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 10.0


@contextmanager
def serve_in_background(
    app: ASGIApp, host: str = "127.0.0.1", *, port: int = 0, websockets: bool = False
) -> Iterator[str]:
    """Serve ``app`` from a daemon thread; yield its base URL.

    The server answers when the context is entered, and has ended when it is left.

    Parameters
    ----------
    port : int
        0 takes a free one.
    websockets : bool
        Whether the application has websockets.

    Raises
    ------
    ConfigError
        If the host cannot be bound or the server does not start within 10 s.
    """
    listener = _bind(host, port)
    server = uvicorn.Server(_configuration(app, websockets=websockets))
    thread = threading.Thread(
        target=server.run, args=([listener],), name="simulated-exchange", daemon=True
    )
    try:
        thread.start()
        _wait_until_started(server, thread)
        yield _base_url(listener)
    finally:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT_S)
        listener.close()


def serve_forever(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 8900, *, websockets: bool = False
) -> None:
    """Serve ``app`` until interrupted (Ctrl-C, SIGTERM).

    Parameters
    ----------
    port : int
        0 takes a free one.
    websockets : bool
        Whether the application has websockets.

    Raises
    ------
    ConfigError
        If the port is taken or the host is not one of this machine.
    """
    listener = _bind(host, port)
    try:
        uvicorn.Server(_configuration(app, websockets=websockets)).run([listener])
    finally:
        listener.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol left at 0 asyncio does not set TCP_NODELAY, and every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without it a restart within a minute finds its own port still taken.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error}); choose another port, or stop what uses it",
            host=host,
            port=port,
        ) from error
    return listener


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _configuration(app: ASGIApp, *, websockets: bool) -> uvicorn.Config:
    # Named, because the automatic choice would import what happens to be installed.
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio" if websockets else "none",
        lifespan="off",
        log_level="warning",
        log_config=None,
        access_log=False,
        # An application says itself what time it is there.
        date_header=False,
        timeout_graceful_shutdown=2,
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = monotonic() + _START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or monotonic() > deadline:
            raise ConfigError(
                f"the simulated exchange did not start within {_START_TIMEOUT_S:.0f} s; "
                "the log says why"
            )
        sleep(0.005)
