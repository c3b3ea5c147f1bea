"""The identity of a feature matrix: a model accepts the very columns that it was trained on."""

from collections.abc import Sequence

from trading_pipeline.core.fingerprint import fingerprint

# Raise it when a formula changes under an unchanged name: models of before must not be used.
FORMULAS = 1


def schema_hash(names: Sequence[str]) -> str:
    """Return a hash of feature names, in order, and of the version of their formulas."""
    return fingerprint("features", FORMULAS, list(names))
