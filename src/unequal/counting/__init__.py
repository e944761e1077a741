"""Counting: how often facts occur in a corpus, by one contract and several engines."""

from unequal.counting.protocol import CounterFactory
from unequal.registry import Registry

COUNTERS: Registry[CounterFactory] = Registry("counter", {"scan": "unequal.counting.scan:ScanCounter"})
