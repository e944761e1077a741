"""Every registered counting engine has settings of its name and builds an object that keeps the interface."""

import pytest

from gate import only_in_full
from unequal.counting import COUNTERS
from unequal.counting.protocol import CountSettings
from unequal.errors import MissingExtraError
from unequal.plugin_checks.contract import BrokenError
from unequal.plugin_checks.engines import counts_in_order, has_a_name, keeps_the_interface

LARGE = "infinigram-local"  # builds an index of the packaged text


@pytest.mark.parametrize("name", [name for name in COUNTERS if name != LARGE] + only_in_full(LARGE))
def test_an_engine_keeps_the_interface(name):
    kind = COUNTERS.get(name)
    assert issubclass(kind, CountSettings)
    assert kind.model_fields["engine"].default == name
    has_a_name(kind)
    try:
        keeps_the_interface(kind)
    except BrokenError as error:
        if not isinstance(error.__cause__, MissingExtraError):
            raise
        pytest.skip("its library is not installed")


def test_facts_are_counted_in_order():
    counts_in_order(COUNTERS.get("scan"))
