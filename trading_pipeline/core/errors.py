"""The error tree, branched by what the caller should do.

::

    TradingPipelineError
    ├─ ConfigError                  fix the settings
    ├─ DataError                    fix or refetch the data
    │  ├─ CandleFileError           a candle file cannot be read or understood
    │  ├─ CandleSchemaError         candles break the contract of ``core.candles``
    │  ├─ CandleConflictError       two sources disagree on one candle
    │  ├─ StaleDataError            the newest data is too old to act on
    │  ├─ QueryError                SQL that cannot be answered: fix the query
    │  ├─ PartitionNotFoundError    a partition was never materialised
    │  ├─ LakeConflictError         another writer was first: read and make it again
    │  └─ LakeCorruptionError       stored bytes do not match their manifest
    ├─ VenueError                   carries venue and symbol
    │  ├─ VenueUnavailableError     transient: retry later
    │  ├─ RateLimitedError          transient: wait ``retry_after_s``
    │  ├─ MalformedReplyError       the venue answered something that is not an answer
    │  └─ SymbolNotListedError      permanent: fix the symbol
    ├─ ModelError                   retrain or choose another model
    │  ├─ FeatureMismatchError      the matrix lacks what the model was trained on
    │  └─ ModelNotFoundError        nothing was trained or promoted yet
    ├─ LedgerError                  the ledger refused a contradiction
    ├─ StorageError                 a file cannot be written: free space, fix permissions
    │  └─ StoreUnavailableError     transient: Redis or a shared file does not answer, try later
    └─ RiskLimitBreachedError       stop, never retry
"""

from typing import Self


class TradingPipelineError(Exception):
    """Root of every error that this package raises on purpose.

    Parameters
    ----------
    message : str
        What was required, what was received, where, and what to do.
    **facts : object
        The same facts as attributes of ``facts``, for programs.
    """

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders in Dagster; keyword facts do not survive by default.
        return (_rebuild, (type(self), self.message, self.facts))

    @classmethod
    def unknown_name(cls, kind: str, name: str, known: list[str], **facts: object) -> Self:
        """Return the error for an unknown name, with the nearest known ones."""
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        return cls(f"unknown {kind} {name!r}; {hint}", name=name, **facts)


def _rebuild(
    kind: type[TradingPipelineError], message: str, facts: dict[str, object]
) -> TradingPipelineError:
    return kind(message, **facts)


class ConfigError(TradingPipelineError):
    """Settings are wrong: fix ``config.yaml``, the profile or the environment."""


class DataError(TradingPipelineError):
    """Data is missing or wrong: fix it or fetch it again."""


class CandleFileError(DataError):
    """A candle file cannot be read or is not a candle file."""


class CandleSchemaError(DataError):
    """Candles break the contract of ``core.candles``."""


class CandleConflictError(DataError):
    """Two sources give different values for the same candle."""


class StaleDataError(DataError):
    """The newest data is too old to act on."""


class QueryError(DataError):
    """SQL that cannot be answered: fix the query."""


class PartitionNotFoundError(DataError):
    """A partition that is needed was never materialised."""


class LakeConflictError(DataError):
    """Another writer changed a partition first: read it and make it again."""


class LakeCorruptionError(DataError):
    """Stored bytes do not match the SHA-256 of their manifest."""


class VenueError(TradingPipelineError):
    """An exchange could not do what was asked."""


class VenueUnavailableError(VenueError):
    """The venue cannot be reached or failed inside: retry later."""


class RateLimitedError(VenueError):
    """The venue asked for a pause: wait before the next request."""


class MalformedReplyError(VenueError):
    """The venue answered with something that is not an answer."""


class SymbolNotListedError(VenueError):
    """The venue does not list the symbol: retrying cannot help."""


class ModelError(TradingPipelineError):
    """A model cannot be trained, loaded or used."""


class FeatureMismatchError(ModelError):
    """The feature matrix is not the one that the model was trained on."""


class ModelNotFoundError(ModelError):
    """No model was trained or promoted yet."""


class LedgerError(TradingPipelineError):
    """The ledger refused a contradiction."""


class StorageError(TradingPipelineError):
    """A file cannot be written: free space or fix permissions, then run again."""


class StoreUnavailableError(StorageError):
    """A store of live data (Redis, a shared file) does not answer now: try again later."""


class RiskLimitBreachedError(TradingPipelineError):
    """A limit was reached: stop, never retry."""
