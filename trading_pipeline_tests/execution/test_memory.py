"""The in-memory store keeps the promises of an execution store."""

import pytest

from trading_pipeline.execution.memory import MemoryStore
from trading_pipeline_tests.contracts.execution_store import ExecutionStoreContract


class TestMemoryStore(ExecutionStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()
