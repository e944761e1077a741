"""The three sources of base models: which one a run file means, what it may say, and what names its steps."""

import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

from study_settings import changed
from unequal.errors import ConfigError, DataError
from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts
from unequal.study.checkpoints import CheckpointStudy
from unequal.study.controlled import ControlledStudy
from unequal.study.expand import plan_steps
from unequal.study.natural import NaturalStudy
from unequal.study.sources import study_settings

EXAMPLES = Path(__file__).parents[3] / "examples"
GRID = {
    "name": "small",
    "seeds": [0],
    "methods": ["npo"],
    "targets": [{"relation": "capital"}],
    "facts": {"tables": [{"file": "country-capital"}]},
}
NATURAL = GRID | {
    "source": "natural",
    "text": {"corpus": "factbook"},
    "models": [{"family": "gpt2", "size": "0.1M"}],
}
HUB = {"model": "someone/model-1b", "start": "base"}
CHECKPOINTS = GRID | {
    "source": "checkpoints",
    "checkpoints": [HUB],
    "counts": {"engine": "infinigram-api", "index": "v4_dolma-v1_7_llama"},
}


def settings(values, **changes):
    return study_settings(values | changes, "run.toml")


def folders(values, kind=None, **changes):
    steps = plan_steps(settings(values, **changes))
    return {step.folder for step in steps if kind in (None, step.kind)}


def test_a_run_file_names_its_source_and_is_controlled_without():
    assert isinstance(study_settings(changed(), "x"), ControlledStudy)
    assert isinstance(study_settings(changed() | {"source": "controlled"}, "x"), ControlledStudy)
    assert isinstance(settings(NATURAL), NaturalStudy)
    assert isinstance(settings(CHECKPOINTS), CheckpointStudy)
    with pytest.raises(ConfigError, match=r"run\.toml: source: unknown 'natrual'; did you mean 'natural'\?"):
        settings(NATURAL, source="natrual")


def test_a_controlled_study_comes_back_from_its_own_dump():
    plain = study_settings(changed(), "x").model_dump(mode="json")
    assert plain["source"] == "controlled" and plain == study_settings(plain, "x").model_dump(mode="json")


@pytest.mark.parametrize("values", [NATURAL, CHECKPOINTS], ids=["natural", "checkpoints"])
def test_settings_come_back_from_their_own_dump(values):
    found = settings(values)
    assert study_settings(found.model_dump(mode="json"), "x") == found


@pytest.mark.parametrize("values", [NATURAL, CHECKPOINTS], ids=["natural", "checkpoints"])
def test_inputs_come_before_their_users(values):
    seen = set()
    for step in plan_steps(
        settings(values, targets=[{"relation": "capital"}, {"relation": "capital", "bucket": 0}])
    ):
        assert set(step.inputs) <= seen
        assert step.cost > 0 and step.memory > 0 and step.disk > 0
        seen.add(step.folder)


WRONG = [
    (NATURAL, {"targets": [{"relation": "capital", "level": 4}]}, "with natural counts have bucket = 0, 1"),
    (NATURAL, {"targets": [{"relation": "capital", "bucket": -1}]}, "targets.0.bucket: found -1"),
    (NATURAL, {"world": {}}, "unknown key 'world'"),
    (NATURAL, {"text": {"corpus": "factbook", "keep": "lines"}}, "text.keep: found 'lines'"),
    (NATURAL, {"split": {"retain_share": 0.9, "utility_share": 0.2}}, "split: retain_share"),
    (NATURAL, {"corpus": {"tokenizer": {"kind": "word"}}}, "unknown key 'corpus.tokenizer'"),
    (NATURAL, {"corpus": {"statements": {"exponent": 3}}}, "corpus.statements.exponent: found 3"),
    (NATURAL, {"facts": {"tables": []}}, "facts.tables: found []; it should be a list of at least 1"),
    (NATURAL, {"facts": {"tables": [{"set": "zsre"}]}}, "comes from files or from hub"),
    (
        NATURAL,
        {"attacks": ["int8"], "split": {"withheld_share": 0, "unseen": 0}},
        "attacks: without never-seen facts nothing shows what an attack finds by luck",
    ),
    (CHECKPOINTS, {"attacks": ["int8"]}, "attacks: without never-seen facts"),
    (CHECKPOINTS, {"split": {"withheld_share": 0.1}}, "nothing can be taken out of the text behind"),
    (CHECKPOINTS, {"checkpoints": [HUB, HUB]}, "checkpoints: an entry stands twice"),
    (CHECKPOINTS, {"checkpoints": [HUB | {"start": "chat"}]}, "it should be 'base' or 'instruct'"),
    (CHECKPOINTS, {"checkpoints": [HUB | {"modle": "x"}]}, "'checkpoints.0.modle'; did you mean 'model'?"),
    (CHECKPOINTS, {"counts": {"engine": "infinigran-api"}}, "unknown counting engine 'infinigran-api'; did"),
    (CHECKPOINTS, {"counts": {"engine": "infinigram-api"}}, "counts: 'index' is required"),
    (CHECKPOINTS, {"counts": {"engine": "infinigram-api", "index": "x", "windw": 3}}, "unknown key 'windw'"),
    (CHECKPOINTS, {"counts": {"engine": "scan", "corpus": "factbook", "out": "x"}}, "'out' is not for"),
    (CHECKPOINTS, {"counts": {"table": 3}}, "table: found 3"),
    (CHECKPOINTS, {"pretrain_seeds": [0]}, "unknown key 'pretrain_seeds'"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "changes", "expected"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_value_is_one_sentence(values, changes, expected):
    with pytest.raises(ConfigError) as caught:
        settings(values, **changes)
    message = str(caught.value)
    assert message.startswith("run.toml") and expected in message and "\n" not in message


def test_a_controlled_study_has_no_buckets():
    with pytest.raises(ConfigError, match="buckets are of natural counts; a controlled study has level"):
        study_settings(changed("targets.0.bucket", 1), "x")


SHARED = {"facts", "text", "count"}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"facts": GRID["facts"] | {"made_up": 3}}, set()),
        ({"text": NATURAL["text"] | {"others": 0.1}}, {"facts"}),
        ({"split": {"retain_share": 0.3}}, SHARED),
        ({"pretrain_seeds": [7]}, SHARED),
        ({"corpus": {"epochs": 3}}, SHARED | {"split"}),
        ({"corpus": {"statements": {}}}, SHARED | {"split"}),
        ({"models": [{"family": "llama", "size": "0.1M"}]}, SHARED | {"split", "corpus"}),
        ({"targets": [{"relation": "capital", "bucket": 0}]}, SHARED | {"split", "corpus", "pretrain"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:40],
)
def test_a_natural_setting_changes_what_follows_from_it_and_nothing_before(changes, same):
    kinds = ("facts", "text", "count", "split", "corpus", "pretrain", "baseline", "unlearn")
    for kind in kinds:
        before, after = folders(NATURAL, kind), folders(NATURAL, kind, **changes)
        assert before == after if kind in same else before.isdisjoint(after)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"counts": CHECKPOINTS["counts"] | {"window": 50}}, {"facts", "checkpoint"}),
        ({"counts": CHECKPOINTS["counts"] | {"index": "v4_piletrain_llama"}}, {"facts", "checkpoint"}),
        ({"split_seeds": [3]}, {"facts", "count", "checkpoint"}),
        ({"checkpoints": [HUB | {"revision": "abc"}]}, {"facts", "count", "split"}),
        ({"checkpoints": [HUB | {"start": "instruct"}]}, {"facts", "count", "split", "checkpoint"}),
        ({"checkpoints": [HUB | {"model": "someone/other-1b"}]}, {"facts", "count", "split"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:60],
)
def test_a_checkpoint_setting_changes_what_follows_from_it_and_nothing_before(changes, same):
    for kind in ("facts", "count", "split", "checkpoint", "baseline", "unlearn"):
        before, after = folders(CHECKPOINTS, kind), folders(CHECKPOINTS, kind, **changes)
        assert before == after if kind in same else before.isdisjoint(after)


def test_how_counts_are_fetched_does_not_name_a_step():
    polite = CHECKPOINTS["counts"] | {
        "requests_per_second": 0.2,
        "retries": 1,
        "cache": "/tmp/x",
        "url": "http://h/",
    }
    assert folders(CHECKPOINTS, counts=polite) == folders(CHECKPOINTS)
    scan = {"engine": "scan", "corpus": "factbook"}
    assert folders(CHECKPOINTS, counts=scan | {"workers": 1, "matcher": "words"}) == folders(
        CHECKPOINTS, counts=scan
    )
    assert folders(CHECKPOINTS, "count", counts=scan | {"window": 9}) != folders(
        CHECKPOINTS, "count", counts=scan
    )


def test_a_count_table_is_known_by_its_content(tmp_path):
    ids = [fact.fact_id for fact in read_facts(packaged_facts())]
    one, same, other = (tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet"))
    for path, count in ((one, 1), (same, 1), (other, 2)):
        pl.DataFrame({"fact_id": ids, "docs_window": [count] * len(ids)}).write_parquet(path)
    names = [folders(CHECKPOINTS, counts={"table": str(path)}) for path in (one, same, other)]
    assert names[0] == names[1] and names[0] != names[2]
    with pytest.raises(ConfigError, match=r"counts\.table: cannot read .*none\.parquet"):
        folders(CHECKPOINTS, counts={"table": str(tmp_path / "none.parquet")})


def test_a_folder_that_is_no_model_is_told_when_the_study_is_planned(tmp_path):
    with pytest.raises(DataError, match="does not hold a model"):
        folders(CHECKPOINTS, checkpoints=[{"model": str(tmp_path)}])
    with pytest.raises(DataError, match="there is no folder"):
        folders(CHECKPOINTS, checkpoints=[{"model": str(tmp_path / "none")}])


def test_epochs_that_a_model_of_its_own_cannot_have_are_told_when_the_study_is_planned():
    values = tomllib.loads((EXAMPLES / "factors.toml").read_text(encoding="utf-8"))
    values["models"][0]["epochs"] = 1
    with pytest.raises(ConfigError, match=r"^run\.toml: with 1 epochs for one .*massed_epochs") as found:
        study_settings(values, "run.toml")
    assert "\n" not in str(found.value)


def test_the_parts_of_an_example_that_are_marked_out_are_valid_too():
    text = (EXAMPLES / "natural.toml").read_text(encoding="utf-8")
    whole = re.sub(r"(?m)^#: ", "", text)
    assert whole != text
    found = study_settings(tomllib.loads(whole), "natural.toml")
    assert [table.label for table in found.facts.tables] == ["country-capital", "entityquestions", "popqa"]
