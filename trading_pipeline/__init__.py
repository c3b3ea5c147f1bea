"""From raw candles to audited orders, as one Dagster asset graph.

``core`` holds the vocabulary; the folders between ``market_data`` and ``reporting`` are pure
domain code; ``adapters`` touches the world; ``defs`` is everything Dagster; ``cli`` is the
``trading`` command. The order of imports is a contract in ``pyproject.toml``.
"""

__version__ = "0.1.0"
