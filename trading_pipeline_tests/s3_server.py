"""A real S3 endpoint on this machine: moto's server, in a process of its own.

It answers one request at a time: moto compares and puts in two steps, S3 in one.
"""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parents[1]
_BUCKETS = count(1)


@contextmanager
def s3_server(*, is_careless: bool = False) -> Iterator[str]:
    """Start a server, and yield its URL; a careless one ignores the conditions of requests."""
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, *(["careless"] if is_careless else [])],
        cwd=_REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port, "moto's server did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.communicate()


def new_bucket(endpoint: str) -> str:
    """Create an empty bucket, and return its name."""
    name = f"bucket-{next(_BUCKETS)}"
    request = urllib.request.Request(f"{endpoint}/{name}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    return name


def s3_environment(endpoint: str) -> dict[str, str]:
    """Return the variables by which clients find the server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def main() -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = DomainDispatcherApplication(create_backend_app)

    def careless(environ: dict[str, Any], start: Any) -> Any:
        for header in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
            environ.pop(header, None)
        return app(environ, start)

    chosen = careless if "careless" in sys.argv[1:] else app
    server = make_server("127.0.0.1", 0, chosen, threaded=False)
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
