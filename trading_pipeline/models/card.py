"""The card of a model: what it is, what it was trained on, how good it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Self

from trading_pipeline.core.errors import ModelError

CARD_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a fitted model; no clock, so that equal training gives equal cards.

    Parameters
    ----------
    version : str
        Name of this very model, such as ``xgboost-3f9a1c20b7de``; equal only for equal artefacts
        of the same symbol and training window.
    kind : str
        Model kind, such as ``xgboost``.
    symbol, timeframe : str
        What it forecasts (``BTC-USDT``, ``1h``).
    feature_names : tuple of str
        Columns of the matrix, in order.
    schema_hash : str
        ``features.schema.schema_hash`` of them: names and formulas.
    label_settings : mapping
        Barriers of the labels, as ``TripleBarrier.to_dict`` writes them.
    train_first, train_last : datetime
        Open times of the first and the last training row.
    labels_end : datetime
        Latest end of a training label.
    trained_until : datetime
        Every training label ended before it: the model may be tested from here on.
    n_rows : int
        Training rows.
    class_counts : mapping
        Training rows by label (``"-1"``, ``"0"``, ``"1"``).
    seed : int
        What the randomness of training started from.
    parameters : mapping
        Parameters of the model.
    library_versions : mapping
        Versions of the libraries that trained it.
    fingerprint : str
        Of everything that went into training, as the caller states it.
    scores : mapping
        By name. ``in_sample_...`` are measured on the training rows and prove nothing.
    artefact_sha256 : str
        SHA-256 of the model's bytes.
    """

    version: str
    kind: str
    symbol: str
    timeframe: str
    feature_names: tuple[str, ...]
    schema_hash: str
    label_settings: Mapping[str, int | float]
    train_first: datetime
    train_last: datetime
    labels_end: datetime
    trained_until: datetime
    n_rows: int
    class_counts: Mapping[str, int]
    seed: int
    parameters: Mapping[str, int | float]
    library_versions: Mapping[str, str]
    fingerprint: str
    artefact_sha256: str
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the card as JSON with sorted keys; equal cards give equal text."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return json.dumps({"card_format": CARD_FORMAT, **values}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the card of :meth:`to_json`.

        Raises
        ------
        ModelError
            If the text is not a card of this format.
        """
        try:
            values = json.loads(text)
            if values.pop("card_format") != CARD_FORMAT:
                raise ValueError(f"its format is not {CARD_FORMAT}")
            for name in ("train_first", "train_last", "labels_end", "trained_until"):
                values[name] = datetime.fromisoformat(values[name])
            return cls(**{**values, "feature_names": tuple(values["feature_names"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"not a model card ({error}); train the model again") from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
