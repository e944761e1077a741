"""Small things shared by all tests: a world, corpora and two random models, each made once a session."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from fault_table import pytest_addoption, pytest_collection_modifyitems, pytest_configure  # noqa: F401
from gate import of_families
from time_limit import pytest_runtest_setup, pytest_terminal_summary  # noqa: F401
from tiny_world import PROMPTS, WORLD, corpus_settings, vocabulary_of
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.facts.table import read_facts
from unequal.facts.world.world import build_world

# No example fails because the machine is slow.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def world():
    """Twenty people and their facts in all relations."""
    return build_world(WORLD, 20)


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory):
    """Return the folder of a small corpus with these settings changed, built once a session."""
    from unequal.corpus.build import build_corpus

    @cache
    def make(**changes):
        folder = tmp_path_factory.mktemp("corpus") / "corpus"
        build_corpus(WORLD, corpus_settings(**changes), PROMPTS, folder)
        return folder

    return make


@pytest.fixture(scope="session")
def corpus(make_corpus):
    """The folder of the small corpus with nothing changed."""
    return make_corpus()


@pytest.fixture(scope="session")
def tokenizer(corpus):
    """The small corpus's tokenizer of whole words."""
    from unequal.models.load import load_tokenizer

    return load_tokenizer(corpus / "tokenizer")


@pytest.fixture(scope="session")
def facts(corpus):
    """The small corpus's facts, with their roles and exposures."""
    return read_facts(corpus / "facts.parquet")


@pytest.fixture(scope="session")
def probes(facts):
    """Probes of every kind about every tenth fact, which is all relations and roles."""
    maker = ProbeMaker(facts, PROMPTS, n_variants=2)
    return [probe for fact in facts[::10] for probe in maker.probes(fact, PROBE_KINDS)]


@pytest.fixture(scope="session", params=of_families(["gpt2", "llama"], "gpt2"))
def model(request, corpus):
    """A two-layer random model of each family, in evaluation mode; no test may change it."""
    from unequal.models.load import scratch_model
    from unequal.models.shapes import ModelSettings, Shape

    settings = ModelSettings(family=request.param, size="tiny", shape=Shape(width=32, layers=2, heads=4))
    return scratch_model(settings, vocabulary_of(corpus), seed=1).eval()
