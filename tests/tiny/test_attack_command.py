"""`unequal attack`, and attacks as part of a study."""

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import hidden_knowledge as world
from command_line import call, toml
from study_settings import changed, study
from unequal.attacks.attack import ANSWER_METRICS, ROW_SCHEMA
from unequal.errors import ConfigError
from unequal.evaluation.metrics import STUDY_METRICS
from unequal.evaluation.score_table import SCORE_SCHEMA, read_scores
from unequal.facts.table import facts_frame
from unequal.study.expand import plan_steps
from unequal.study.loaded_base import loaded_base
from unequal.study.sources import study_settings

ATTACKS = ["paraphrase", "fewshot", {"kind": "relearn", "learning_rate": 2e-3}]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with the hiding model and fact tables: one with all roles, and one without any."""
    folder = tmp_path_factory.mktemp("attacked")
    world.hiding().save_pretrained(folder / "model")
    world.tokenizer().save_pretrained(folder / "model")
    people = world.people()
    facts_frame(people).write_parquet(folder / "people.parquet")
    for role in ("forget", "never_seen", "retain"):
        alone = [fact.model_copy(update={"role": None}) for fact in people if fact.role == role]
        facts_frame(alone).write_parquet(folder / f"{role}.parquet")
    (folder / "attacks.toml").write_text(toml({"attacks": ATTACKS}))
    return folder


def run(here, out, *words):
    return call("attack", "--model", here / "model", "--out", here / out, *words)


@pytest.fixture(scope="module")
def attacked(here):
    result = run(here, "out", "--facts", here / "people.parquet", "--config", here / "attacks.toml")
    assert (result.code, result.err) == (0, "")
    return result


def test_the_table_has_forget_beside_never_seen(here, attacked):
    lines = [[cell.strip() for cell in line.split("│")] for line in attacked.out.splitlines() if "│" in line]
    shown = {cells[1]: cells[2:4] for cells in lines}
    assert "exact_match" not in shown  # the reading that says what is known is the one that decides
    scores = read_scores(here / "out" / "scores.parquet")
    for metric in ("answer_said", "paraphrase_answer_said", "relearn_answer_said"):
        for place, role in enumerate(("forget", "never_seen")):
            rows = scores.filter(pl.col("metric") == metric, pl.col("role") == role)
            assert float(shown[metric][place]) == pytest.approx(rows["value"].mean(), abs=6e-4)
    assert float(shown["relearn_answer_said"][0]) > float(shown["relearn_answer_said"][1]) + 0.2
    assert "warning" not in attacked.out


def test_the_score_table_is_whole(here, attacked):
    scores = read_scores(here / "out" / "scores.parquet")
    assert scores.schema == pl.Schema(SCORE_SCHEMA)
    assert set(scores.filter(pl.col("kind") == "robustness")["metric"].str.split("_").list.first()) == {
        "paraphrase",
        "fewshot",
        "relearn",
    }
    assert set(scores.filter(pl.col("kind") != "robustness")["metric"]) == set(ANSWER_METRICS)
    assert (scores["value"].is_null() == scores["reason"].is_not_null()).all()
    made_by = json.loads((here / "out" / "manifest.json").read_text())["settings"]["attacks"]
    assert [attack["kind"] for attack in made_by] == ["paraphrase", "fewshot", "relearn"]
    assert made_by[2]["steps"] == 20


def test_files_without_roles_say_who_is_who_by_their_flags(here, attacked):
    words = ("--facts", here / "forget.parquet", "--never-seen", here / "never_seen.parquet")
    words += ("--retain", here / "retain.parquet", "--config", here / "attacks.toml")
    result = run(here, "flags", *words)
    assert (result.code, result.err) == (0, "")
    columns = ["fact_id", "role", "probe", "metric"]
    same, other = (
        read_scores(here / out / "scores.parquet").select(*columns, "value").sort(columns)
        for out in ("out", "flags")
    )
    assert_frame_equal(same, other, check_exact=True)


def test_without_a_control_there_is_a_warning(here):
    result = run(here, "alone", "--facts", here / "forget.parquet", "--kind", "lens", "--kind", "nf4")
    assert result.code == 0
    assert "warning: there are no never-seen facts" in result.out
    metrics = set(read_scores(here / "alone" / "scores.parquet")["metric"])
    assert {"lens_first_token_rank", "nf4_exact_match"} <= metrics


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--facts", "forget.parquet"], "'attacks' is required"),
        (["--facts", "forget.parquet", "--kind", "lense"], "unknown attack 'lense'; did you mean 'lens'?"),
        (["--facts", "forget.parquet", "--kind", "fewshot"], "attack fewshot needs facts that are not to be"),
        (["--facts", "gone.parquet", "--kind", "lens"], "gone.parquet"),
        (
            ["--facts", "forget.parquet", "--never-seen", "forget.parquet", "--kind", "lens"],
            "is given twice, as forget and never_seen",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(here, words, said):
    words = [here / word if word.endswith(".parquet") else word for word in words]
    result = run(here, "never", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert said in result.err
    assert not (here / "never").exists()


def test_a_table_of_facts_to_keep_only_is_refused(here):
    kept = [fact for fact in world.people() if fact.role == "retain"]
    facts_frame(kept).write_parquet(here / "kept.parquet")
    result = run(here, "never", "--facts", here / "kept.parquet", "--kind", "lens")
    assert result.code == 2
    assert "holds no facts to forget" in result.err


# --- in a study


def study_with(**tables):
    return study_settings(changed("seeds", [0]) | {"methods": ["ga"]} | tables, "run.toml")


def kinds(steps):
    return {step.kind: step.folder for step in steps}


def test_attacks_and_metrics_change_folders_only_when_they_are_set():
    plain = plan_steps(study_with())
    assert kinds(plan_steps(study_with(attacks=[]))) == kinds(plain)
    same = {"evaluate": changed()["evaluate"] | {"metrics": list(STUDY_METRICS)}}
    assert kinds(plan_steps(study_with(**same))) == kinds(plain)
    fewer = {"evaluate": changed()["evaluate"] | {"metrics": ["exact_match"]}}
    for changes in ({"attacks": ["lens"]}, fewer):
        folders = kinds(plan_steps(study_with(**changes)))
        for kind in ("corpus", "pretrain"):
            assert folders[kind] == kinds(plain)[kind]
        for kind in ("baseline", "unlearn"):
            assert folders[kind] != kinds(plain)[kind]


def test_attacks_cost_time_before_and_after():
    plain, attacked = (plan_steps(study_with(attacks=attacks)) for attacks in ([], ["sample"]))
    costs = [{step.kind: step.cost for step in steps} for steps in (plain, attacked)]
    for kind in ("baseline", "unlearn"):
        assert costs[1][kind] > costs[0][kind]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attacks": ["lens", "lens"]}, "attack lens stands twice"),
        (
            {"evaluate": {"metrics": ["exact_mach"]}},
            "unknown metric 'exact_mach'; did you mean 'exact_match'",
        ),
        (
            {"evaluate": {"metrics": ["leak_at_1"]}},
            "metric 'leak_at_1' needs samples, which a study does not run",
        ),
        (
            {"attacks": ["lens"], "corpus": changed()["corpus"] | {"levels": [1, 4]}},
            "without never-seen people nothing shows what an attack finds by luck",
        ),
    ],
)
def test_what_a_study_cannot_do_is_said_before_it_starts(changes, said):
    with pytest.raises(ConfigError, match=said):
        study_with(**changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a study with attacks, its steps, and what they reported."""
    folder, reports = tmp_path_factory.mktemp("study"), {}
    attacks = ["lens", "paraphrase", {"kind": "relearn", "learning_rate": 1e-2, "share": 0.5}, "probe"]
    steps = plan_steps(
        study_with(
            attacks=attacks, evaluate=changed()["evaluate"] | {"metrics": ["exact_match", "answer_prob"]}
        )
    )
    for step in steps:
        step.run(folder, lambda *at, kind=step.kind: reports.setdefault(kind, []).append(at))
    return folder, {step.kind: step for step in steps}, reports


@pytest.mark.full
def test_a_study_attacks_the_starting_model_and_the_last(done):
    folder, steps, _ = done
    scores = pl.read_parquet(folder / steps["unlearn"].folder / "scores.parquet")
    assert scores.schema == pl.Schema(SCORE_SCHEMA)
    attacked = scores.filter(pl.col("kind") == "robustness")
    assert set(attacked["step"]) == {0, 2}
    assert set(attacked["role"]) == {"forget", "never_seen"}
    names = [name for attack in study_with(attacks=["lens", "paraphrase", "relearn", "probe"]).attacks
             for name in attack.metric_names]  # fmt: skip
    n_facts = scores.filter(pl.col("role").is_in(["forget", "never_seen"]))["fact_id"].n_unique()
    for step in (0, 2):
        rows = attacked.filter(pl.col("step") == step)
        assert sorted(rows["metric"].unique()) == sorted(names)
        assert len(rows) == len(names) * n_facts
    gaps = attacked.filter(pl.col("metric") == "relearn_exact_match", pl.col("value").is_null())
    taught = [set(gaps.filter(pl.col("step") == step)["fact_id"]) for step in (0, 2)]
    assert taught[0] == taught[1] != set()  # the same people are taught, so that before and after compare
    values = (
        attacked.filter(pl.col("metric") == "lens_first_token_prob")
        .sort("step", "fact_id")["value"]
        .to_list()
    )
    assert values[:n_facts] != values[n_facts:]


@pytest.mark.full
def test_a_study_keeps_the_metrics_that_it_names(done):
    folder, steps, _ = done
    scores = pl.read_parquet(folder / steps["unlearn"].folder / "scores.parquet")
    assert set(scores.filter(pl.col("kind") != "robustness")["metric"]) == {"exact_match", "answer_prob"}


def test_the_baselines_attacks_are_those_of_the_starting_model(done):
    folder, steps, _ = done
    before = pl.read_parquet(folder / steps["baseline"].folder / "scores.parquet").select(list(ROW_SCHEMA))
    rows = pl.read_parquet(folder / steps["unlearn"].folder / "scores.parquet").filter(pl.col("step") == 0)
    assert_frame_equal(rows.select(list(ROW_SCHEMA)), before, check_row_order=False)


def test_an_attacker_knows_every_retained_fact_not_only_the_evaluated(done):
    folder, steps, _ = done
    step = steps["baseline"]
    base = loaded_base(folder, step.base)
    target = base.target(step.target, step.facts_per_role)
    context = base.context(base.fresh_model(), target, step.n_wordings)
    n_people, n_relations = changed()["corpus"]["retain_people"], 2
    assert sum(fact.role == "retain" for fact in context.facts) == n_people * n_relations
    assert len({fact.fact_id for fact in context.facts}) == len(context.facts)


def test_attacks_are_part_of_the_progress(done):
    _, _, reports = done
    assert reports["unlearn"][-1] == (2 + 4, 2 + 4)
    assert reports["baseline"] == [(1 + done, 5) for done in range(5)]
    assert [at for at in reports["unlearn"] if at[0] > at[1]] == []


def test_the_study_of_the_other_tests_names_no_attacks():
    assert study().attacks == ()
    assert all(not step.attacks for step in plan_steps(study()) if step.kind == "baseline")
