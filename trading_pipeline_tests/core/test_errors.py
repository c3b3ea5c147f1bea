import ast
import copy
import pickle
from pathlib import Path

import pytest

from trading_pipeline.core import errors
from trading_pipeline.core.errors import ConfigError, DataError, TradingPipelineError


def _error_classes() -> list[type]:
    found = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_comes_back_from_a_pickle_with_its_message_and_facts(kind):
    error = kind("candles of 2024-01 are missing, run the refresh", symbol="BTC-USDT", rows=3)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == back.message == "candles of 2024-01 are missing, run the refresh"
    assert back.facts == {"symbol": "BTC-USDT", "rows": 3}


def test_every_error_of_the_package_stands_in_the_one_tree():
    # ApiError is an answer of the simulated exchange, on the other side of the wire.
    root = Path(errors.__file__).parents[1]
    elsewhere = [
        f"{path.relative_to(root)}: {node.name}"
        for path in sorted(root.rglob("*.py"))
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
    ]
    assert elsewhere == ["adapters/exchanges/simulated/api_errors.py: ApiError"]


def test_an_answer_of_the_simulated_exchange_pickles_too():
    from trading_pipeline.adapters.exchanges.simulated.api_errors import ApiError

    back = pickle.loads(pickle.dumps(ApiError(-1003, "Too many requests.", 429, retry_after_s=7)))
    assert (back.code, back.text, back.status, back.retry_after_s) == (
        -1003,
        "Too many requests.",
        429,
        7,
    )


def test_the_tree_in_the_docstring_names_every_error_under_its_parent():
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    branch: list[str] = []
    for line in errors.__doc__.splitlines():
        stem = line.lstrip(" │├└─")
        if not stem or not stem.split()[0].endswith(("Error", "BreachedError")):
            continue
        depth = (len(line) - len(stem) - 4) // 3
        branch = [*branch[:depth], stem.split()[0]]
        if depth:
            drawn[branch[depth]] = branch[depth - 1]
    actual = {
        kind.__name__: kind.__bases__[0].__name__
        for kind in _error_classes()
        if kind is not TradingPipelineError
    }
    assert drawn == actual


def test_an_error_survives_a_copy():
    error = DataError("a message", month="2024-01")
    assert copy.deepcopy(error).facts == {"month": "2024-01"}


def test_an_unknown_name_is_answered_with_the_nearest_known_one():
    error = ConfigError.unknown_name("timeframe", "1hr", ["1h", "1d", "15m"], where="here")
    assert type(error) is ConfigError
    assert error.message == "unknown timeframe '1hr'; did you mean 1h?"
    assert error.facts == {"name": "1hr", "where": "here"}


def test_an_unknown_name_without_a_near_one_is_answered_with_all_known_ones():
    error = DataError.unknown_name("stage", "zzz", ["fetch", "train"])
    assert error.message == "unknown stage 'zzz'; known: fetch, train"
