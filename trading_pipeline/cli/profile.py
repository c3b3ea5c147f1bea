"""``trading profile``: which set of symbols, months and storage the commands and the UI use."""

import click

from trading_pipeline.cli.console import emit, json_option, stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.config import NO_PROFILE, known_profiles, load_settings, use_profile


@click.group()
def profile() -> None:
    """Show or switch the profile that commands and the UI use."""


@profile.command("list")
@json_option
@click.pass_obj
def list_profiles(context: CliContext, as_json: bool) -> None:
    """List the profiles that were written."""
    settings = context.settings
    names = [NO_PROFILE, *known_profiles(settings.storage_base)]
    active = settings.profile or NO_PROFILE
    rows = [{"profile": name, "active": name == active} for name in names]

    def show(console: object) -> None:
        for row in rows:
            stdout().print(f"{'*' if row['active'] else ' '} {row['profile']}", highlight=False)

    emit(rows, show, as_json=as_json)


@profile.command("use")
@click.argument("name")
@click.pass_obj
def use(context: CliContext, name: str) -> None:
    """Make NAME the profile of the next commands; "none" is config.yaml alone."""
    settings = load_settings(profile=name)
    use_profile(settings.storage_base, name)
    stdout().print(f"The profile is now {name}; it writes to {settings.storage_root}")
