"""The server's life: it starts, answers, ends, and says why it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from trading_pipeline.adapters.exchanges.simulated.serving import (
    serve_forever,
    serve_in_background,
)
from trading_pipeline.core.errors import ConfigError
from trading_pipeline_tests.adapters.exchanges.simulated.http_reply import body_of

APP = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_answers_inside_the_context_and_not_after_it():
    with serve_in_background(APP) as url:
        assert body_of(url + "/") == b"here"
        port = int(url.rsplit(":", 1)[1])
    assert not is_open(port)


def test_its_thread_ends_with_the_context():
    with serve_in_background(APP):
        assert "simulated-exchange" in {thread.name for thread in threading.enumerate()}
    assert "simulated-exchange" not in {thread.name for thread in threading.enumerate()}


def test_several_servers_stand_side_by_side():
    with ExitStack() as stack:
        urls = [stack.enter_context(serve_in_background(APP)) for _ in range(3)]
        assert len(set(urls)) == 3
        assert [body_of(url + "/") for url in urls] == [b"here"] * 3


def test_it_ends_also_when_the_body_fails():
    with pytest.raises(KeyError), serve_in_background(APP) as url:
        raise KeyError(url)
    assert not is_open(int(url.rsplit(":", 1)[1]))


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve_forever(APP, "127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("127.0.0.1", 99_999)])
def test_an_address_that_is_not_of_this_machine_is_named(host, port):
    with pytest.raises(ConfigError, match="cannot listen on"):
        serve_forever(APP, host, port)


def test_serving_forever_ends_with_sigterm():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = (
        "from trading_pipeline.adapters.exchanges.simulated.serving import serve_forever\n"
        "from starlette.applications import Starlette\n"
        f"serve_forever(Starlette(), port={port})\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[4], env=dict(os.environ)
    )
    try:
        deadline = time.monotonic() + 30
        while not is_open(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) in {0, -signal.SIGTERM}
        assert not is_open(port)
    finally:
        server.kill()
        server.wait()
