"""Counting engines: how often facts occur in a corpus."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.counting.protocol import CountSettings

COUNTERS: Registry[type["CountSettings"]] = Registry(
    "counting engine",
    {
        "scan": "unequal.counting.scan.settings:ScanSettings",
        "infinigram-local": "unequal.counting.infinigram.local_settings:LocalSettings",
        "infinigram-api": "unequal.counting.infinigram.api_settings:ApiSettings",
    },
    group="unequal.engines",
)
"""The settings class of each engine; ``settings.build()`` returns the engine."""
