"""Real Redis servers for tests: the one of the machine, and some of our own that are killed."""

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHARED = "redis://127.0.0.1:6379/15"


@dataclass
class RedisServer:
    """A redis-server of a test, whose data survives its death."""

    folder: Path
    port: int
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self.process = subprocess.Popen(
            ["redis-server", *arguments, "--appendonly", "yes"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not is_answering(self.url):
            assert time.monotonic() < deadline, "redis-server did not start within 10 s"
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def is_answering(url: str) -> bool:
    import redis

    with redis.Redis.from_url(url, socket_connect_timeout=0.5) as client:
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False


@contextmanager
def own_server(folder: Path) -> Iterator[RedisServer]:
    """Start a redis-server on a free port with an append-only file; kill it at the end."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = RedisServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def shared_redis() -> Iterator[tuple[str, str]]:
    """Yield the address of the machine's Redis and a prefix; delete its keys afterwards.

    Where none runs, one is started for the test.
    """
    import redis

    prefix = f"trading-test-{secrets.token_hex(6)}"
    if not is_answering(_SHARED):
        with tempfile.TemporaryDirectory() as folder, own_server(Path(folder)) as server:
            yield server.url, prefix
        return
    try:
        yield _SHARED, prefix
    finally:
        with redis.Redis.from_url(_SHARED) as client:
            for key in client.scan_iter(match=f"{prefix}*", count=1000):
                client.delete(key)
