import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.fingerprint import fingerprint

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_fingerprint_is_the_sha256_of_canonical_json():
    expected = hashlib.sha256(b'[{"a":1,"b":[0.1,null]},"x"]').hexdigest()
    assert fingerprint({"b": [0.1, None], "a": 1}, "x") == expected


def test_another_process_gives_the_same_fingerprint():
    code = (
        "from trading_pipeline.core.fingerprint import fingerprint;"
        "print(fingerprint({'z': 1, 'a': {'y': 2.5, 'b': ['x']}}))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert there == fingerprint({"a": {"b": ["x"], "y": 2.5}, "z": 1})


def test_decimals_and_instants_are_taken_as_text():
    instant = datetime(2024, 1, 1, tzinfo=UTC)
    assert fingerprint(Decimal("0.10"), instant) == fingerprint("0.10", "2024-01-01T00:00:00+00:00")
    assert fingerprint(Decimal("0.10")) != fingerprint(Decimal("0.1"))


def test_any_mapping_or_sequence_counts_by_its_content():
    assert fingerprint(MappingProxyType({"a": (1, 2)})) == fingerprint({"a": [1, 2]})


def test_parts_do_not_run_together():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(["a"], "b") != fingerprint("a", ["b"])
    assert fingerprint(None) != fingerprint()


def test_an_object_without_a_canonical_text_is_refused():
    with pytest.raises(TypeError, match="cannot fingerprint a set"):
        fingerprint({1, 2})  # type: ignore[arg-type]


@given(st.dictionaries(st.text(), _VALUES))
def test_insertion_order_does_not_matter(values):
    backwards = dict(reversed(list(values.items())))
    assert fingerprint(values) == fingerprint(backwards)


@given(_VALUES, _VALUES)
def test_different_values_have_different_fingerprints(left, right):
    if repr(left) == repr(right):
        assert fingerprint(left) == fingerprint(right)
    elif left != right:
        assert fingerprint(left) != fingerprint(right)
