"""Error answers in the form of Binance: ``{"code": -1121, "msg": "Invalid symbol."}``.

Reference: binance-spot-api-docs, errors.md.
"""

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(eq=False)
class ApiError(Exception):
    """A request that the exchange refuses, with its code, text and HTTP status."""

    code: int
    text: str
    status: int = 400
    retry_after_s: int | None = None

    @classmethod
    def invalid_symbol(cls) -> Self:
        """Return -1121."""
        return cls(-1121, "Invalid symbol.")

    @classmethod
    def invalid_interval(cls) -> Self:
        """Return -1120."""
        return cls(-1120, "Invalid interval.")

    @classmethod
    def missing(cls, name: str) -> Self:
        """Return -1102 for the mandatory parameter ``name``."""
        return cls(
            -1102,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )

    @classmethod
    def illegal(cls, name: str, legal: str) -> Self:
        """Return -1100 for the parameter ``name``, whose ``legal`` range is a pattern."""
        return cls(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
        )

    @classmethod
    def not_valid(cls, name: str) -> Self:
        """Return -1130 for the parameter ``name``."""
        return cls(-1130, f"Data sent for parameter '{name}' is not valid.")

    @classmethod
    def conflicting(cls) -> Self:
        """Return -1128: ``symbol`` and ``symbols`` together."""
        return cls(-1128, "Combination of optional parameters invalid.")

    @classmethod
    def unknown_path(cls, path: str, method: str) -> Self:
        """Return -5000 for an endpoint that the simulated exchange does not have."""
        return cls(-5000, f"Path {path}, Method {method} is invalid", status=404)

    @classmethod
    def too_many_requests(cls, limit: int, retry_after_s: int) -> Self:
        """Return -1003: more than ``limit`` weight in a minute."""
        return cls(
            -1003,
            f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            status=429,
            retry_after_s=retry_after_s,
        )


def answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """Turn an :class:`ApiError` into its HTTP answer."""
    assert isinstance(error, ApiError)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return JSONResponse({"code": error.code, "msg": error.text}, error.status, headers)
