"""What commands print with: tables for people, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def stdout() -> Console:
    """Return a console on standard output."""
    return Console(soft_wrap=False)


def stderr() -> Console:
    """Return a console on standard error."""
    return Console(stderr=True, soft_wrap=True)


def emit(payload: object, show: Callable[[Console], None], *, as_json: bool) -> None:
    """Print ``payload`` as JSON, or let ``show`` print it for people."""
    if as_json:
        click.echo(json.dumps(payload, indent=2, default=_plain, allow_nan=False))
    else:
        show(stdout())


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot print a {type(value).__name__} as JSON")


def command_name() -> str:
    """Return how ``trading`` is typed here: its path, where the shell would not find it."""
    own = Path(sys.executable).with_name("trading")
    if shutil.which("trading") or not own.is_file():
        return "trading"
    try:
        return str(own.relative_to(Path.cwd()))
    except ValueError:
        return str(own)


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction as people read it (``0.123`` is ``12.3%``); n/a where there is none."""
    return "n/a" if fraction is None else f"{fraction * 100:.{digits}f}%"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number, or n/a where there is none."""
    return "n/a" if value is None else f"{value:,.{digits}f}"
