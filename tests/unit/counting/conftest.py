"""The scan as a fixture."""

import pytest

from count_cases import numbers, write_shard
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition


@pytest.fixture
def scan(tmp_path):
    """Count facts in documents with the engine; returns one tuple of six numbers a fact."""

    def run(documents, facts, window=100, matcher="auto", block_size=1 << 20, **choices):
        write_shard(tmp_path / "shard.jsonl", documents)
        running = ScanOptions(matcher=matcher, block_size=block_size)
        counter = ScanCounter(str(tmp_path / "shard.jsonl"), Definition(window, **choices), running)
        return [numbers(count) for count in counter.count(facts)]

    return run
