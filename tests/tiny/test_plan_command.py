"""`unequal plan` the whole way: runs on a model that knows facts, a predictor of them, a plan by it."""

import json

import polars as pl
import pytest
import torch

from command_line import call, toml
from short_training import taught_model
from study_settings import changed, study
from tiny_world import PROMPTS
from unequal.analysis.difficulty.predictor import read_predictor
from unequal.analysis.difficulty.rows import COUNT
from unequal.checksums import DIGEST, write_checked_json
from unequal.difficulty_prediction.alignment import alignments, study_alignments
from unequal.facts.table import facts_frame, read_facts
from unequal.files import write_table
from unequal.models.load import load_tokenizer
from unequal.study.expand import plan_steps
from unequal.study.steps.corpus import CorpusStep
from unequal.study.steps.pretrain import PretrainStep
from unequal.study.steps.unlearn import UnlearnStep

pytestmark = pytest.mark.full

RUN = {
    "unlearn": {"steps": 8, "batch_size": 16, "evaluate_at": [1, 2, 4]},
    "probes": ["question"],
}
METHODS = {"ga": 2e-4, "graddiff": 4e-4}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return tmp_path_factory.mktemp("plan")


@pytest.fixture(scope="module")
def tables(here, make_corpus):
    """Files of facts by role: to forget of three exposures, to retain, and of use."""
    corpus = make_corpus(levels=(1, 2, 4), people_per_level=12, retain_people=8, utility_people=8, epochs=1)
    facts = [fact for fact in read_facts(corpus / "facts.parquet") if fact.relation == "birth_city"]
    for role in ("forget", "retain", "utility"):
        write_table(facts_frame([fact for fact in facts if fact.role == role]), here / f"{role}.parquet")
    return corpus, facts


@pytest.fixture(scope="module")
def model(here, tables):
    """A model that was taught all of the facts."""
    corpus, facts = tables
    tokenizer = load_tokenizer(corpus / "tokenizer")
    told = [fact.model_copy(update={"paraphrases": (), "cloze": ()}) for fact in facts]
    taught = taught_model(corpus, tokenizer, told, steps=80, rate=4e-3, batch=32)
    taught.save_pretrained(here / "model")
    tokenizer.save_pretrained(here / "model")
    return here / "model"


@pytest.fixture(scope="module")
def runs(here, model):
    """A folder with the scores of one run a method, as a study collects them."""
    parts = {"scores": [], "generations": []}
    for method, rate in METHODS.items():
        config = here / f"{method}.toml"
        config.write_text(toml({**RUN, "method": {"kind": method, "learning_rate": rate}}))
        words = ("--forget", here / "forget.parquet", "--retain", here / "retain.parquet")
        words += ("--utility", here / "utility.parquet", "--config", config)
        result = call("unlearn", "--model", model, *words, "--out", here / method)
        assert result.code == 0, result.err
        for name, tables in parts.items():
            tables.append(pl.read_parquet(here / method / f"{name}.parquet"))
    for name, tables in parts.items():
        write_table(pl.concat(tables), here / "runs" / f"{name}.parquet")
    return here / "runs"


@pytest.fixture(scope="module")
def predictor(here, runs):
    result = call("plan", "fit", "--study", runs, "--out", here / "predictor.json")
    assert result.code == 0, result.err
    return here / "predictor.json", result


@pytest.fixture(scope="module")
def words(here, model, predictor):
    return ("plan", "--model", model, "--forget", here / "forget.parquet", "--predictor", predictor[0])


@pytest.fixture(scope="module")
def planned(here, words):
    result = call(*words, "--out", here / "plan")
    assert result.code == 0, result.err
    return result, pl.read_parquet(here / "plan" / "plan.parquet")


def test_fit_says_whether_the_count_helps(predictor):
    path, result = predictor
    learned = read_predictor(path)
    assert [one.method for one in learned.methods] == ["ga", "graddiff"]
    assert {COUNT, "log_prob_per_token"} <= learned.features
    assert learned.n_forget == 36 and len(learned.n_params) == 1
    told = result.out.replace("\n", " ")
    assert all(sentence in told for sentence in learned.count) and len(learned.count) == 2
    assert "One seed only" in told and "gain" in told


def test_the_features_of_a_plan_are_those_of_the_runs(planned, runs):
    """The model is asked in the same way before a plan as before a run."""
    scores = pl.read_parquet(runs / "scores.parquet").filter(
        (pl.col("step") == 0) & (pl.col("probe") == "question") & (pl.col("role") == "forget")
    )
    start = scores.filter((pl.col("metric") == "answer_prob") & (pl.col("method") == "ga"))
    mine = planned[1].filter(pl.col("method") == "ga").select("fact_id", "log_prob_per_token", COUNT)
    joined = mine.join(start.select("fact_id", "value", "exposure"), on="fact_id")
    assert joined.height == 36
    assert joined["log_prob_per_token"].to_list() == pytest.approx(joined["value"].log().to_list(), abs=1e-5)
    assert joined[COUNT].to_list() == pytest.approx((1 + joined["exposure"]).log(2).to_list())


def test_every_known_fact_has_a_prediction_and_the_plan_is_whole(here, planned):
    result, table = planned
    assert table.height == 2 * 36
    assert table["known"].sum() >= 2 * 20
    known = table.filter("known")
    assert known["log2_steps"].null_count() == 0  # the same facts as were fitted, so none is outside
    assert (table["reason"].is_null() == table["steps"].is_not_null()).all()
    assert table.filter("recommended")["fact_id"].is_duplicated().sum() == 0
    record = json.loads((here / "plan" / "plan.json").read_text())
    assert [row["method"] for row in record["budgets"]] == ["ga", "graddiff"]
    assert record["notes"] and record["predictor"]["study"] == "unlearn"
    for heading in ("36 facts to forget", "To forget 90% of them together", "note: steps are those of the"):
        assert heading in result.out
    assert "nothing reliable" not in result.out


def test_a_count_table_takes_the_place_of_the_counts_of_the_facts(here, words):
    facts = pl.read_parquet(here / "forget.parquet")["fact_id"]
    counts = pl.DataFrame({"fact_id": facts[:30], "docs_window": [3] * 30, "anchored": [None] * 30})
    write_table(counts, here / "counts.parquet")
    result = call(*words, "--counts", here / "counts.parquet", "--out", here / "counted")
    assert result.code == 0, result.err
    table = pl.read_parquet(here / "counted" / "plan.parquet")
    assert table.filter("with_count")[COUNT].unique().to_list() == [2.0]
    assert table.filter(~pl.col("with_count"))["fact_id"].n_unique() == 6
    assert "6 of 36 facts have no count" in result.out


def test_a_study_can_stand_in_for_the_predictor(here, model, runs, planned):
    words = ("plan", "--model", model, "--forget", here / "forget.parquet", "--study", runs)
    result = call(*words, "--out", here / "direct", "--share", 0.5)
    assert result.code == 0, result.err
    table = pl.read_parquet(here / "direct" / "plan.parquet")
    assert table["log2_steps"].to_list() == pytest.approx(planned[1]["log2_steps"].to_list())


def test_a_model_of_another_size_and_a_set_of_another_length_are_told(here, words, predictor):
    other = json.loads(predictor[0].read_text())
    other |= {"n_params": [7_000_000_000], "n_forget": 5}
    del other[DIGEST]
    write_checked_json(here / "large.json", other)
    result = call(*words[:-1], here / "large.json", "--out", here / "far")
    assert result.code == 0, result.err
    assert "fitted on models of 7B parameters" in result.out and "it says nothing reliable" in result.out
    assert "forgot 5 facts at once and these are 36" in result.out


def test_facts_unlike_the_study_are_refused_unless_asked_for(here, words):
    odd = pl.read_parquet(here / "forget.parquet").with_columns(exposure=pl.lit(10_000))
    write_table(odd, here / "odd.parquet")
    for flags, n_predicted in (((), 0), (("--extrapolate",), 1)):
        words_here = [here / "odd.parquet" if word == here / "forget.parquet" else word for word in words]
        result = call(*words_here, *flags, "--out", here / "odd")
        assert result.code == 0, result.err
        table = pl.read_parquet(here / "odd" / "plan.parquet").filter("known")
        assert (table["log2_steps"].count() > 0) == n_predicted
    assert "36 of 36" not in result.out


def test_alignment_is_the_cosine_of_gradients(tables, model):
    """Against gradients laid out by hand, from losses that transformers works out."""
    from unequal.models.load import load_model

    _, facts = tables
    network, tokenizer = load_model(model), load_tokenizer(model)

    def flat(chosen, end):
        network.zero_grad()
        for fact in chosen:
            prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
            ids = tokenizer(f"{PROMPTS.ask(fact.question)} {fact.answer}")["input_ids"]
            ids += [tokenizer.eos_token_id] * end
            labels = [-100] * len(prompt) + ids[len(prompt) :]
            network(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss.backward()
        return torch.cat([weight.grad.flatten().double() for weight in network.parameters()])

    forget, retain = facts[:4], [fact for fact in facts if fact.role == "retain"]
    expected = [
        float(torch.cosine_similarity(flat([one], False), flat(retain, True), dim=0)) for one in forget
    ]
    network.zero_grad()
    found = alignments(network, tokenizer, PROMPTS, forget, retain)
    assert found == pytest.approx(expected, abs=1e-4)
    assert max(found) - min(found) > 0.01
    assert all(weight.grad is None for weight in network.parameters())


@pytest.fixture(scope="module")
def trained_study(here):
    """A study's folder in which corpus and model are done, and no run is."""
    folder = here / "study"
    folder.mkdir()
    (folder / "study.toml").write_text(toml(changed()))
    for step in plan_steps(study()):
        if isinstance(step, CorpusStep | PretrainStep):
            step.run(folder, lambda _done, _total: None)
    return folder


def test_a_study_has_an_alignment_for_each_run_and_fact(trained_study):
    table = study_alignments(trained_study, lambda _done, _total: None)
    run_ids = [step.run_id for step in plan_steps(study()) if isinstance(step, UnlearnStep)]
    assert sorted(table["run_id"].unique()) == sorted(run_ids)
    assert table.select("run_id", "fact_id").is_duplicated().sum() == 0
    assert table.height == len(run_ids) * 12
    assert table["alignment"].is_between(-1, 1).all()
    assert table.group_by("fact_id").agg(pl.col("alignment").n_unique())["alignment"].max() == 1


def test_a_predictor_with_alignment_takes_it_from_the_model(here, words, predictor):
    other = json.loads(predictor[0].read_text())
    column = {"name": "alignment", "mean": 0.0, "deviation": 1.0, "low": -1.0, "high": 1.0}
    for method in other["methods"]:
        for fit in (method["with_count"], method["without_count"]):
            fit["columns"].append(column)
            fit["steps"]["weights"].append(1.0)
            fit["lost"]["weights"].append(0.0)
    del other[DIGEST]
    write_checked_json(here / "aligned.json", other)
    asked = (*words[:-1], here / "aligned.json")
    result = call(*asked, "--out", here / "aligned")
    assert (result.code, result.out) == (2, "")
    assert "give it with --retain" in result.err and not (here / "aligned").exists()
    result = call(*asked, "--retain", here / "retain.parquet", "--out", here / "aligned")
    assert result.code == 0, result.err
    values = pl.read_parquet(here / "aligned" / "plan.parquet")["alignment"]
    assert values.null_count() == 0 and values.is_between(-1, 1).all() and values.n_unique() > 20


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), ["give one of predictor", "none comes with unequal"]),
        (("--predictor", "p.json", "--study", "s"), ["give one of predictor"]),
        (("--predictor", "p.json"), ["cannot read p.json"]),
        (("--predictor", "bad.json"), ["bad.json is no predictor", "unequal plan fit --study"]),
        (("--study", "nowhere"), ["nowhere/scores.parquet", "folder of a finished study"]),
        (("--predictor", "p.json", "--share", "1"), ["share", "less than 1"]),
    ],
    ids=["nothing to learn from", "both", "no file", "no predictor", "no study", "the whole share"],
)
def test_what_cannot_be_planned_is_refused_before_anything_is_written(
    flags, said, tmp_path, monkeypatch, model
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{}")
    write_table(pl.DataFrame({"fact_id": ["a"]}), tmp_path / "f.parquet")
    result = call("plan", "--model", model, "--forget", "f.parquet", "--out", "o", *flags)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("unequal: ") and all(part in result.err for part in said), result.err
    assert not (tmp_path / "o").exists()


def test_a_folder_of_other_things_is_kept(here, words, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    result = call(*words, "--out", tmp_path)
    assert result.code == 2 and "holds other files" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_fit_refuses_what_teaches_nothing(tmp_path, trained_study):
    result = call("plan", "fit", "--study", tmp_path, "--out", tmp_path / "p.json")
    assert result.code == 2 and "give the folder of a finished study" in result.err
    result = call("plan", "fit", "--study", tmp_path, "--alignment", "--out", tmp_path / "p.json")
    assert result.code == 2 and "no study.toml" in result.err
    assert list(tmp_path.iterdir()) == []
