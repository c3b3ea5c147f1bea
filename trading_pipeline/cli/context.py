"""What every command shares: the chosen profile and its settings."""

from dataclasses import dataclass
from functools import cached_property

from trading_pipeline.config import Settings, load_settings


@dataclass
class CliContext:
    """Options before the command."""

    profile: str | None
    debug: bool

    @cached_property
    def settings(self) -> Settings:
        """The settings of the active profile.

        Raises
        ------
        ConfigError
            If a setting is refused.
        """
        return load_settings(profile=self.profile)
