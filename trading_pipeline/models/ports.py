"""What a forecasting model must be able to do."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self

from trading_pipeline.core.candles import FloatArray, IntArray


class Forecaster(Protocol):
    """A model of the probabilities of {down, flat, up}.

    Every implementation is deterministic: the same parameters, seed, rows and library versions
    give the same bytes.
    """

    kind: ClassVar[str]
    """Name that a card carries, and by which ``models.kinds`` finds the class."""
    suffix: ClassVar[str]
    """Ending of the files that hold its bytes."""

    @property
    def seed(self) -> int:
        """What randomness starts from."""
        ...

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """Parameters that change what is learned."""
        ...

    @property
    def library_versions(self) -> Mapping[str, str]:
        """Versions of the libraries that learn."""
        ...

    def fit(self, X: FloatArray, y: IntArray) -> Self:
        """Learn from rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Finite, oldest first.
        y : ndarray of shape (n_rows,)
            In {-1, 0, 1}; at least two classes.
        """
        ...

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Return probabilities of shape (n_rows, 3) over {down, flat, up}.

        Each row sums to 1 and depends on no other row; a class that training did not see has
        probability 0.

        Raises
        ------
        ModelError
            If the model is not fitted.
        """
        ...

    def to_bytes(self) -> bytes:
        """Return the fitted model as bytes that hold no code."""
        ...

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the fitted model of :meth:`to_bytes`.

        Raises
        ------
        ModelError
            If the bytes are not such a model.
        """
        ...
