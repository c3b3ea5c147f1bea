"""Plain HTTP reads for tests."""

import http.client
from urllib.parse import urlsplit


def body_of(url: str) -> bytes:
    """Return the body of one GET."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().read()
    finally:
        connection.close()
