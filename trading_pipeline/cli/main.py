"""Entry point of ``trading``: the group of commands, and the one place where errors end."""

import sys
import traceback
from collections.abc import Sequence

import click

from trading_pipeline import __version__
from trading_pipeline.cli.console import stderr
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.lazy_group import LazyGroup
from trading_pipeline.core.errors import TradingPipelineError

_COMMANDS = {
    "demo": ("trading_pipeline.cli.demo", "demo"),
    "run": ("trading_pipeline.cli.run", "run"),
    "ui": ("trading_pipeline.cli.ui", "ui"),
    "data": ("trading_pipeline.cli.data.group", "data"),
    "indicators": ("trading_pipeline.cli.indicators.group", "indicators"),
    "chart": ("trading_pipeline.cli.chart", "chart"),
    "backtest": ("trading_pipeline.cli.backtest", "backtest"),
    "portfolio": ("trading_pipeline.cli.portfolio", "portfolio"),
    "profile": ("trading_pipeline.cli.profile", "profile"),
    "doctor": ("trading_pipeline.cli.doctor", "doctor"),
    "warm": ("trading_pipeline.cli.warm", "warm"),
}

EXIT_REFUSED = 1
EXIT_UNEXPECTED = 70


@click.group(
    cls=LazyGroup, commands_in=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="trading")
@click.option("--profile", metavar="NAME", help='Profile to use; "none" is config.yaml alone.')
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, profile: str | None, debug: bool) -> None:
    """From raw candles to audited orders, as one Dagster asset graph."""
    ctx.obj = CliContext(profile=profile, debug=debug)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``trading`` and exit: 0 done, 1 refused, 2 wrong usage, 70 a fault of ours."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not standalone, click returns the code that a command exited with.
        code = cli.main(args=typed, prog_name="trading", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        stderr().print("Stopped. What was finished is kept; the same command goes on from there.")
        sys.exit(130)
    except TradingPipelineError as error:
        _show(type(error).__name__, error.message, typed)
        sys.exit(EXIT_REFUSED)
    except Exception as error:  # noqa: BLE001  the one place where an unknown fault becomes text
        _show(f"Unexpected {type(error).__name__}", str(error), typed)
        if "--debug" not in typed:
            stderr().print("This is a fault of the program; --debug shows where.", style="dim")
        sys.exit(EXIT_UNEXPECTED)


def _show(kind: str, message: str, typed: list[str]) -> None:
    stderr().print(f"[bold red]{kind}[/]: ", end="")
    stderr().print(message, markup=False, highlight=False)
    if "--debug" in typed:
        stderr().print(traceback.format_exc(), markup=False, highlight=False)
