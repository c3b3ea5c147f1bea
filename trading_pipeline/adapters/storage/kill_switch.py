"""The kill switch as a file: anybody with a shell can stop trading, without any database."""

from dataclasses import dataclass
from pathlib import Path

from trading_pipeline.adapters.storage.durable_files import write_durably


@dataclass(frozen=True, slots=True)
class KillSwitchFile:
    """Engaged while ``path`` exists; the file's text is the reason."""

    path: Path

    def is_engaged(self) -> bool | None:
        """Tell whether the file exists; None, which stops trading too, if that is unreadable."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return None
        return True

    def engage(self, reason: str) -> None:
        """Create the file."""
        write_durably(self.path, reason.encode())

    def release(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
