"""Groups of commands that are imported when they are typed, so that ``--help`` is quick."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from trading_pipeline.core.errors import TradingPipelineError


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed.

    Parameters
    ----------
    commands_in : mapping of str to (str, str)
        Module and attribute of each command, in the order of the help page.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401  passed to click as they are
        commands_in: Mapping[str, tuple[str, str]],
        **options: Any,  # noqa: ANN401  passed to click as they are
    ) -> None:
        super().__init__(*arguments, **options)
        self._commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(self._commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if there is none of that name."""
        if cmd_name not in self._commands_in:
            return None
        module, attribute = self._commands_in[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is none of that name."""
        if args and args[0] not in self._commands_in and not args[0].startswith("-"):
            known = list(self._commands_in)
            error = TradingPipelineError.unknown_name("command", args[0], known)
            raise click.UsageError(error.message, ctx)
        return super().resolve_command(ctx, args)
