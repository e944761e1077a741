"""The seed tree and the helpers of error messages."""

import pickle

import pytest

from unequal.errors import (
    DamagedError,
    DataError,
    DivergedError,
    MissingExtraError,
    OutOfMemoryError,
    did_you_mean,
    listed,
)
from unequal.seeds import derive_seed, random_stream
from unequal.workers import WorkerDiedError


def test_seeds_differ_by_root_and_by_every_part_of_the_path():
    seeds = [derive_seed(*path) for path in ((0,), (1,), (0, "a"), (0, "b"), (0, "a", 0), (0, "a", 1))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_stays_the_same_for_ever():
    assert derive_seed(0, "names") == 7793943982454694872  # sha256sum of "0/names", first 8 bytes, halved


def test_streams_are_reproducible_and_independent():
    assert random_stream(1, "x").random() == random_stream(1, "x").random()
    assert random_stream(1, "x").random() != random_stream(1, "y").random()


def test_did_you_mean_says_the_closest_name_or_nothing():
    assert did_you_mean("questoin", ["answer", "question"]) == "; did you mean 'question'?"
    assert did_you_mean("zzz", ["answer", "question"]) == ""


def test_long_lists_are_cut_and_say_so():
    assert listed(["a", "b", "c"], limit=2) == "a; b; … and 1 more"
    assert listed(["a"], limit=2) == "a"


def test_a_missing_extra_says_how_to_install_it():
    assert "pip install 'unequal[train]'" in str(MissingExtraError("building a corpus", "train"))


@pytest.mark.parametrize(
    "error",
    [
        DataError("a.jsonl is broken"),
        MissingExtraError("counting on Ray", "ray"),
        DamagedError("runs/a", "b has not the SHA-256 it was written with", "make it anew"),
        DivergedError("the loss is nan at step 3", 3, ("a", "b")),
        OutOfMemoryError("memory ran out"),
        WorkerDiedError(-9),
    ],
)
def test_an_error_of_a_worker_is_the_same_one_here(error):
    here = pickle.loads(pickle.dumps(error))
    assert (type(here), str(here), vars(here)) == (type(error), str(error), vars(error))
