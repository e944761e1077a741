"""Whatever stands in a file that is read, there is a result or an error of ours in one line, nothing else."""

import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unequal.analysis.analyze import read_analysis
from unequal.analysis.difficulty.predictor import read_predictor
from unequal.analysis.excluded_runs import FAILURES, excluded_runs
from unequal.analysis.factors.rows import read_factors
from unequal.analysis.observations import observe
from unequal.analysis.study_record import read_study_record
from unequal.auditing.policy import read_policy
from unequal.config import build, read_toml
from unequal.corpus.shards import CorpusCard, TokenWindows
from unequal.counting.protocol import COUNT_SCHEMA, ranked_by
from unequal.counting.run import read_counts
from unequal.errors import UserError
from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA, read_generations, read_scores
from unequal.files import read_json
from unequal.models.shapes import ModelSettings
from unequal.study.sources import study_settings
from unequal.study.stages.corpus import CorpusCommand
from unequal.study.stages.pretrain import PretrainCommand
from unequal.study.stages.unlearn import UnlearnCommand
from unequal.study.step_status import FAILURE, Failure, check_result, read_failure

pytestmark = pytest.mark.fault(
    "a run file, record, table or corpus holds any bytes or values",
    "a result, or one line that names file and place; never a traceback",
)

FEW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["\0", "x" * 300, "../..", "inf", "1e999", "9" * 30])
)
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def one_line(read, *given):
    """Read, which must give a result or one of our errors with a message of one line."""
    try:
        return read(*given)
    except UserError as error:
        assert str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 3000
        return None


def in_place_of(known):
    """Return objects as they should be but for some of their values."""
    changes = st.dictionaries(st.sampled_from(sorted(known)), VALUE, max_size=3)
    return changes.map(lambda change: known | change)


READERS = {
    "predictor": read_predictor,
    "json": read_json,
    "scores": read_scores,
    "generations": read_generations,
    "counts": read_counts,
    "factors": read_factors,
    "toml": read_toml,
    "policy": read_policy,
}


@pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
@FEW
@given(
    content=st.binary(max_size=200) | st.binary(max_size=60).map(lambda middle: b"PAR1" + middle + b"PAR1")
)
def test_any_bytes(read, content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    one_line(read, path)


@pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
def test_a_folder_nothing_and_paths_that_cannot_be(read, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for name in ("", "none", "empty", "a\0b", "x" * 300, "y/" * 3000):
        one_line(read, tmp_path / name)


@pytest.mark.parametrize("read", [read_json, read_predictor, read_toml, read_policy])
def test_nested_deeply_and_numbers_without_end(read, tmp_path):
    path = tmp_path / "file"
    for text in ("[" * 100_000, "a = " + "[" * 5000, "[" * 80 + "]" * 80, "a = " + "[" * 80 + "]" * 80,
                 '{"a":' * 3000, "9" * 6000, f"a = {'9' * 6000}", f"a = 0x{'f' * 6000}", "a = 2020-13-45",
                 '{"a": 99999999999999999999999}', '"\\ud800"'):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            read(path)
        assert "\n" not in str(caught.value)


PREDICTOR = {
    "study": "s", "scores_sha256": "", "n_params": [1], "n_forget": 3, "features": [], "run_settings": {},
    "methods": [], "skill": [], "count": [], "remarks": [], "made_by": {},
}  # fmt: skip
CARD = {
    "window_tokens": 4, "vocabulary_size": 300, "end_token_id": 0, "padding_token_id": 1,
    "windows_per_epoch": [2], "n_tokens": 8, "n_documents": 2,
}  # fmt: skip
FAILED = asdict(Failure("unlearn/a", "diverged", "why", 3, ("x",)))
RECORDS = {
    "predictor": ("p.json", PREDICTOR, lambda folder: read_predictor(folder / "p.json")),
    "study": ("study.json", {"name": "a", "settings": {}, "flags": {}}, read_study_record),
    "failures": (FAILURES, FAILED, excluded_runs),
    "failure": (FAILURE, FAILED, read_failure),
    "manifest": ("manifest.json", {"files": {}}, check_result),
    "corpus": ("corpus.json", CARD, TokenWindows),
    "verdicts": ("analysis/verdicts.json", {"verdicts": [], "remarks": [], "settings": {}}, read_analysis),
}


@pytest.mark.parametrize("name", RECORDS)
@FEW
@given(data=st.data())
def test_records_of_any_other_shape(name, data, tmp_path):
    file, known, read = RECORDS[name]
    good = in_place_of(known)
    value = data.draw(VALUE | good | st.lists(good, max_size=2))
    (tmp_path / "status").write_text("diverged\n")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps(value))
    one_line(read, tmp_path)


STUDY = {
    "name": "quick", "methods": ["npo"], "targets": [{"relation": "birth_city"}],
    "models": [{"family": "gpt2", "size": "0.1M"}], "unlearn": {"steps": 3}, "corpus": {"epochs": 2},
}  # fmt: skip
UNLEARN = {"model": "m", "forget": "f.jsonl", "out": "o", "method": {"kind": "npo"}, "unlearn": {}}
PRETRAIN = {"corpus": "c", "out": "o", "model": {"family": "gpt2", "size": "0.1M"}, "pretrain": {}, "seed": 0}
CORPUS = {"out": "o", "world": {}, "corpus": {}, "prompts": {}}


@pytest.mark.parametrize(
    ("known", "make"),
    [
        (STUDY, lambda values: study_settings(values, "run.toml")),
        (UNLEARN, lambda values: build(UnlearnCommand, values, "run.toml")),
        (PRETRAIN, lambda values: build(PretrainCommand, values, "run.toml")),
        (CORPUS, lambda values: build(CorpusCommand, values, "run.toml")),
    ],
)
@FEW
@given(data=st.data())
def test_settings_of_any_value(known, make, data):
    one_line(make, data.draw(in_place_of(known)))


NUMBER = st.integers(-3, 3) | st.sampled_from([2**63, -(2**63), 10**18, 10**30]) | st.floats()


@pytest.mark.parametrize(
    "key", ["clip_norm", "weight_decay", "warmup_share", "steps", "batch_size", "micro_batch"]
)
@FEW
@given(value=NUMBER)
def test_numbers_of_unlearning_are_finite_and_within_64_bits(key, value):
    made = one_line(build, UnlearnCommand, UNLEARN | {"unlearn": {key: value}}, "run.toml")
    if made is not None:
        found = getattr(made.unlearn, key)
        assert np.isfinite(found)
        assert abs(found) < (2**63 if isinstance(found, int) else 2e37)


@pytest.mark.parametrize("seed", [-1, 2**63, 10**40, "9" * 30])
def test_a_seed_has_63_bits(seed):
    assert one_line(build, PretrainCommand, PRETRAIN | {"seed": seed}, "run.toml") is None
    assert one_line(build, PretrainCommand, PRETRAIN | {"seed": 2**63 - 1}, "run.toml") is not None


COLUMN = {
    "text": st.text(max_size=3), "number": st.floats(), "count": st.integers(-2, 5),
    "truth": st.booleans(), "bytes": st.binary(max_size=3),
    "table": st.fixed_dictionaries({"a": st.integers(0, 3)}),
    "list": st.lists(st.integers(0, 3), max_size=2), "nothing": st.none(),
}  # fmt: skip
GOOD = {
    pl.String: st.sampled_from("ab"),
    pl.Int64: st.integers(0, 2),
    pl.Float64: st.floats(0, 1),
    pl.Boolean: st.booleans(),
}


@st.composite
def tables(draw, schema):
    """Return tables that have the schema's columns, but for some of another type, and some rows twice."""
    n = draw(st.integers(0, 4))
    wrong = draw(
        st.dictionaries(st.sampled_from(sorted(schema)), st.sampled_from(sorted(COLUMN)), max_size=2)
    )
    columns = {}
    for name, kind in schema.items():
        values = COLUMN[wrong[name]] if name in wrong else GOOD[kind] | st.none()
        columns[name] = draw(st.lists(values, min_size=n, max_size=n))
    return pl.DataFrame(columns, strict=False)


@pytest.mark.parametrize(
    ("schema", "use"),
    [
        (SCORE_SCHEMA, lambda path: observe(read_scores(path))),
        (GENERATION_SCHEMA, read_generations),
        (COUNT_SCHEMA, lambda path: ranked_by(read_counts(path)[0])),
    ],
    ids=["scores", "generations", "counts"],
)
@FEW
@given(data=st.data())
def test_tables_of_any_types(schema, use, data, tmp_path):
    data.draw(tables(schema)).write_parquet(tmp_path / "t.parquet")
    one_line(use, tmp_path / "t.parquet")


@FEW
@given(
    card=in_place_of(CARD),
    array=st.sampled_from([np.zeros((2, 4), np.uint16), np.full((2, 4), 299), np.full((2, 4), 300),
                           np.full((2, 4), -1), np.zeros(8, np.uint16), np.zeros((2, 5), np.uint16),
                           np.zeros((2, 4), float), np.array([["a"] * 4] * 2), np.zeros((0, 4), np.uint16)]),
    cut=st.integers(0, 200) | st.none(),
)  # fmt: skip
def test_corpora_of_any_windows(card, array, cut, tmp_path):
    (tmp_path / "windows").mkdir(exist_ok=True)
    (tmp_path / "corpus.json").write_text(json.dumps(card))
    shard = tmp_path / "windows" / "epoch-0000.npy"
    np.save(shard, array)
    if cut is not None:
        shard.write_bytes(shard.read_bytes()[:cut])
    windows = one_line(TokenWindows, tmp_path)
    if windows is not None:
        ids = windows.slice(0, len(windows))
        assert ids.shape == (len(windows), windows.card.window_tokens)
        assert ids.min() >= 0
        assert ids.max() < windows.card.vocabulary_size


def test_a_good_corpus_is_read(tmp_path):
    (tmp_path / "windows").mkdir()
    (tmp_path / "corpus.json").write_text(json.dumps(CARD))
    np.save(tmp_path / "windows" / "epoch-0000.npy", np.full((2, 4), 299, np.uint16))
    assert TokenWindows(tmp_path).card == CorpusCard(**CARD)


def test_a_model_larger_than_the_memory_is_refused_before_it_is_made():
    small = ModelSettings(family="gpt2", size="0.1M")
    small.require_memory(300)
    with pytest.raises(UserError, match=r"1000000000000 tokens has .* GB of memory are free"):
        small.require_memory(10**12)
