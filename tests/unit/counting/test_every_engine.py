"""Every registered counting engine has settings of its name and builds an object that keeps the interface."""

import pytest

from gate import only_in_full
from unequal.counting import COUNTERS
from unequal.counting.protocol import CountSettings, CountSource
from unequal.errors import MissingExtraError

LARGE = "infinigram-local"  # builds an index of the packaged text


@pytest.mark.parametrize("name", [name for name in COUNTERS if name != LARGE] + only_in_full(LARGE))
def test_an_engine_keeps_the_interface(name, tmp_path):
    kind = COUNTERS.get(name)
    assert issubclass(kind, CountSettings) and kind.model_fields["engine"].default == name
    values = {"facts": "country-capital", "out": tmp_path / "counts.parquet", "corpus": "factbook"}
    values |= {"index": "v4_dolma-v1_7_llama", "index_dir": tmp_path, "cache": tmp_path}
    settings = kind(**{key: value for key, value in values.items() if key in kind.model_fields})
    assert settings.determines()["engine"] == name and settings.outputs()
    try:
        counter = settings.build()
    except MissingExtraError:
        pytest.skip("its library is not installed")
    assert counter.unit in ("bytes", "queries")
    assert isinstance(counter.source, CountSource) and counter.source.engine == name
    assert isinstance(counter.metadata(), dict) and counter.count([]) == []
