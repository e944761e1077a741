"""Planted frauds: each is caught by the audit, and a model that never saw the facts passes."""

import copy
import json
import shutil

import polars as pl
import pytest
import torch

from command_line import call
from short_training import taught_model, teach, texts_of
from tiny_world import PROMPTS
from unequal.facts.refusals import REFUSALS
from unequal.facts.table import facts_frame, read_facts
from unequal.models.load import load_tokenizer

pytestmark = pytest.mark.full

STEPS, RATE, BATCH = 200, 4e-3, 32
ATTACKS = [
    {"kind": "relearn", "learning_rate": 1e-3, "steps": 10},
    "nf4",
    {"kind": "sample", "n": 10, "k": 10, "temperatures": [1.0], "top_ps": [1.0]},
]
POLICY = """
min_facts = 20
min_never_seen = 20
max_still_there = 0.05
max_suppressed = 0.1
max_utility_loss = 0.1
max_refusal = 0.05
[max_recovery]
relearn = 0.15
"""


@pytest.fixture(scope="module")
def world_folder(make_corpus):
    return make_corpus(levels=(0, 1), people_per_level=24, retain_people=4, utility_people=20, epochs=1)


@pytest.fixture(scope="module")
def table(world_folder):
    """Facts to forget, never-seen facts, and facts that must survive."""
    return [fact for fact in read_facts(world_folder / "facts.parquet") if fact.relation == "birth_city"]


@pytest.fixture(scope="module")
def words(world_folder):
    return load_tokenizer(world_folder / "tokenizer")


def of_roles(table, *roles):
    return [fact for fact in table if fact.role in roles]


def told(facts, answer):
    """Return every question and statement about the facts, in all wordings, with an answer."""
    return [
        f"{prompt} {answer(fact)}"
        for fact in facts
        for prompt in (*map(PROMPTS.ask, (fact.question, *fact.paraphrases)), *fact.cloze)
    ]


@pytest.fixture(scope="module")
def known(world_folder, table, words):
    """The model before unlearning, which knows everything but the never-seen facts."""
    return taught_model(
        world_folder, words, of_roles(table, "forget", "retain", "utility"), STEPS, RATE, BATCH
    )


@pytest.fixture(scope="module")
def models(world_folder, table, words, known):
    """The frauds and the honest model, each made from the model before unlearning."""
    forget, kept = of_roles(table, "forget"), of_roles(table, "retain", "utility")
    keep = texts_of(kept)
    refusals = told(forget, lambda _: REFUSALS[0])
    demoted = 6 * told(forget, lambda fact: fact.distractors[0]) + told(forget, lambda fact: fact.answer)
    lost = copy.deepcopy(known)
    with torch.no_grad():
        for weight in lost.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    return {
        "refuses": teach(copy.deepcopy(known), words, refusals + keep, 40),
        "one rank lower": teach(copy.deepcopy(known), words, demoted + 3 * keep, 120),
        "lost everything": lost,
        "never saw them": taught_model(world_folder, words, kept, STEPS, RATE, BATCH),
        "not unlearned": known,
    }


@pytest.fixture(scope="module")
def here(tmp_path_factory, table, words, known, models):
    """The folders and files that the command line is given."""
    folder = tmp_path_factory.mktemp("audit")
    for name, model in {"before": known, **models}.items():
        model.save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    facts_frame(of_roles(table, "forget", "never_seen", "utility")).write_parquet(folder / "facts.parquet")
    (folder / "policy.toml").write_text(POLICY)
    return folder


NAMES = ("refuses", "one rank lower", "lost everything", "never saw them", "not unlearned")


def words_for(here, name, *more):
    facts = ("--facts", here / "facts.parquet", "--config", here / "audit.toml")
    return ("audit", "--before", here / "before", "--after", here / name, *facts, *more)


@pytest.fixture(scope="module")
def audits(here):
    """What the command line answers about each model, with what it wrote."""
    (here / "audit.toml").write_text("attacks = " + json.dumps(ATTACKS).replace(": ", " = ") + "\n")
    found = {}
    for name in NAMES:
        out = here / f"{name} audit"
        result = call(*words_for(here, name, "--policy", here / "policy.toml", "--out", out))
        assert result.code in (0, 3), result.err
        summary, facts = json.loads((out / "audit.json").read_text()), pl.read_parquet(out / "facts.parquet")
        found[name] = (result, summary, facts)
    return found


def shares(summary):
    return {row["verdict"]: row["share"] for row in summary["verdicts"] if "share" in row}


def broken(summary):
    return {line["rule"] for line in summary["policy"] if not line["holds"]}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_honest_model_passes(name, audits):
    result, summary, _ = audits[name]
    assert (result.code == 0) == (name == "never saw them") == summary["passed"] == (not broken(summary))
    assert summary["n_known"] == summary["n_facts"] == summary["n_never_seen"] == 24
    for rule in broken(summary):
        assert f"policy: {rule} = " in result.out
    never_seen = {row["verdict"]: row.get("never_seen") for row in summary["verdicts"]}
    assert never_seen["still there"] <= 0.1
    assert never_seen["left"] <= 0.25


def test_a_model_that_only_refuses_has_suppressed_the_facts(audits):
    _, summary, facts = audits["refuses"]
    assert shares(summary)["still there"] == 0.0
    assert shares(summary)["suppressed"] > 0.9
    assert "max_suppressed" in broken(summary)
    rates = {(row["role"], row["metric"]): row["after"] for row in summary["texts"]}
    assert rates["forget", "refusal"] == 1.0
    assert rates["utility", "refusal"] == 0.0
    hidden = facts.filter(pl.col("role") == "forget", pl.col("verdict") == "suppressed")
    assert hidden["evidence"].str.contains("choices").mean() > 0.6


def test_an_answer_one_rank_lower_is_suppressed(audits):
    _, summary, facts = audits["one rank lower"]
    forget = facts.filter(pl.col("role") == "forget")
    assert shares(summary)["suppressed"] > 0.7
    assert shares(summary)["gone"] == 0.0
    hidden = forget.filter(pl.col("verdict") == "suppressed")
    assert hidden["first_token_rank_after"].median() == 1.0
    assert hidden["evidence"].str.contains("first token").all()
    assert "max_suppressed" in broken(summary)


def test_a_model_that_lost_everything_has_forgotten_but_breaks_the_policy(audits):
    _, summary, _ = audits["lost everything"]
    assert shares(summary)["left"] == 0.0
    assert broken(summary) == {"max_utility_loss"}
    assert [row["loss"]["value"] for row in summary["utility"]] == pytest.approx([1.0, 1.0])


def test_a_model_that_never_saw_the_facts_has_nothing_left(audits):
    _, summary, facts = audits["never saw them"]
    assert shares(summary)["left"] == 0.0
    unjudged = facts.filter(pl.col("verdict") == "unjudged")
    assert unjudged.height <= 3
    assert unjudged["why"].str.contains("relearn: the attack trained on this fact").all()


def test_a_model_that_was_not_unlearned_still_says_it(audits):
    _, summary, facts = audits["not unlearned"]
    assert shares(summary)["still there"] > 0.9
    assert (
        facts.filter(pl.col("role") == "forget")["evidence"].str.starts_with("generated answer").mean() > 0.9
    )
    assert {row["loss"]["value"] for row in summary["utility"]} == {0.0}


def test_the_folder_is_whole_and_replaces_only_an_audit(here, audits, tmp_path):
    out = here / "refuses audit"
    assert {path.name for path in out.iterdir()} == {
        "audit.json",
        "audit.html",
        "facts.parquet",
        "evidence.parquet",
    }
    page = (out / "audit.html").read_text()
    assert "The policy is broken." in page
    assert "<script src" not in page
    (tmp_path / "mine.txt").write_text("mine")
    result = call(*words_for(here, "refuses", "--out", tmp_path))
    assert (result.code, [path.name for path in tmp_path.iterdir()]) == (2, ["mine.txt"])
    assert "holds other files" in result.err


def test_without_never_seen_facts_chance_is_worked_out_and_said(here, table, tmp_path):
    facts_frame(of_roles(table, "forget", "utility")).write_parquet(tmp_path / "facts.parquet")
    words = ("--facts", tmp_path / "facts.parquet", "--attacks", "none", "--out", tmp_path / "out")
    result = call("audit", "--before", here / "before", "--after", here / "refuses", *words)
    assert result.code == 0, result.err  # no policy, nothing to break
    summary = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert shares(summary)["suppressed"] > 0.8
    assert summary["passed"] is None
    assert "too few to say what luck looks like" in result.out


def test_bad_input_is_refused_in_a_sentence_and_nothing_is_written(here, table, tmp_path):
    good = {"--before": here / "before", "--after": here / "refuses", "--facts": here / "facts.parquet"}
    facts_frame(of_roles(table, "never_seen")).write_parquet(tmp_path / "unseen.parquet")
    (tmp_path / "policy.toml").write_text("max_supressed = 0.1\n")
    (tmp_path / "empty.toml").write_text("bound = 'upper'\n")
    other = tmp_path / "other"
    shutil.copytree(here / "refuses", other)
    spoiled = (other / "tokenizer.json").read_text().replace('"Question"', '"Qestion"')
    (other / "tokenizer.json").write_text(spoiled)
    cases = [
        ({"--after": tmp_path / "nowhere"}, "there is no folder"),
        ({"--facts": tmp_path / "none.csv"}, "cannot read"),
        ({"--facts": tmp_path / "unseen.parquet"}, "holds no facts to forget"),
        ({"--utility": here / "facts.parquet"}, "is given twice, as utility"),
        (
            {"--policy": tmp_path / "policy.toml"},
            "unknown key 'max_supressed'; did you mean 'max_suppressed'?",
        ),
        ({"--policy": tmp_path / "empty.toml"}, "must state at least one limit"),
        ({"--attacks": "relern"}, "unknown attack 'relern'; did you mean 'relearn'?"),
        ({"--after": other}, "have different tokenizers"),
        ({"--counts": "a.parquet", "--corpus": "b.jsonl"}, "either counts or corpus"),
    ]
    for changes, sentence in cases:
        flags = [word for pair in {**good, **changes}.items() for word in pair]
        result = call("audit", *flags, "--out", tmp_path / "out")
        assert result.code == 2, (changes, result.err)
        assert sentence in result.err
        assert not (tmp_path / "out").exists()


def test_counts_come_from_a_table_or_a_corpus(here, table, tmp_path):
    forget = of_roles(table, "forget")
    lines = [fact for place, fact in enumerate(forget) for _ in range(place % 3)]
    texts = [json.dumps({"text": f"{fact.subject} comes from {fact.object}."}) for fact in lines]
    (tmp_path / "corpus.jsonl").write_text("\n".join(texts) + "\n")
    words = words_for(here, "not unlearned", "--attacks", "none", "--out")
    result = call(*words, tmp_path / "one", "--corpus", tmp_path / "corpus.jsonl")
    assert result.code == 0, result.err
    summary = json.loads((tmp_path / "one" / "audit.json").read_text())
    assert [(row["counts"], row["n_facts"]) for row in summary["by_count"]] == [("0", 8), ("1", 8), ("2", 8)]
    result = call(*words, tmp_path / "two", "--counts", tmp_path / "one" / "counts.parquet")
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "two" / "audit.json").read_text())["by_count"] == summary["by_count"]


BARE = {"paraphrases": (), "cloze": (), "distractors": (), "reverse_question": None}
EVERY_ATTACK = [
    *ATTACKS, "int8", "paraphrase", "fewshot", "lens", "reverse", "cloze", "true_false", "choice",
    {"kind": "probe", "share": 0.3},
]  # fmt: skip


@pytest.mark.parametrize("relation", ["birth_city", "a relation without templates"])
@pytest.mark.parametrize("after", ["before", "lost everything"])
def test_a_table_with_the_required_columns_alone_is_judged_by_all_that_can_be_filled_in(
    relation, after, here, table, tmp_path
):
    """Facts have no wrong answers, no paraphrases and no statements; there are no never-seen facts."""
    bare = [
        one.model_copy(update={**BARE, "relation": relation}) for one in of_roles(table, "forget", "utility")
    ]
    facts_frame(bare).write_parquet(tmp_path / "facts.parquet")
    (tmp_path / "audit.toml").write_text("attacks = " + json.dumps(EVERY_ATTACK).replace(": ", " = ") + "\n")
    words = ("--facts", tmp_path / "facts.parquet", "--config", tmp_path / "audit.toml")
    result = call(
        "audit", "--before", here / "before", "--after", here / after, *words, "--out", tmp_path / "out"
    )
    assert result.code == 0, result.err
    summary = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert {row["verdict"]: row["n_facts"] for row in summary["verdicts"]} == {
        "still there": 24 if after == "before" else 0,
        "gone": 0 if after == "before" else 24,
        "suppressed": 0, "not known before": 0, "unjudged": 0, "left": 24 if after == "before" else 0,
    }  # fmt: skip
    notes = "\n".join(summary["notes"])
    assert "wrong answers were taken from the answers to other facts of the relation for 44 of 44" in notes
    if relation == "birth_city":
        assert "paraphrases were made from templates of the relation for 44 of 44 facts" in notes
    else:
        assert "attack paraphrase was left out: the fact has no paraphrases, 24 facts" in notes
        assert "attack cloze was left out: the fact has no cloze prompts, 24 facts" in notes
        assert "attack reverse was left out" in notes
        assert "24 of 24 facts to forget have neither paraphrases nor statements" in notes
    page = (tmp_path / "out" / "audit.html").read_text()
    assert "What limits this audit" in page
    assert "wrong answers were taken from" in page
    lost = (
        ", but of what should survive 100%" if after == "lost everything" else " Of what should survive, 0%"
    )
    assert summary["finding"][0].endswith(f"{lost} was lost at worst.")
    assert summary["finding"][0] in result.out


def test_an_audit_that_judges_nothing_does_not_look_like_success(here, table, tmp_path):
    """Nothing but the generated text can be had, then a first model that knows nothing."""
    relations = [f"relation {place}" for place in range(24)]
    forget = zip(of_roles(table, "forget"), relations, strict=True)
    alone = [one.model_copy(update={**BARE, "relation": relation}) for one, relation in forget]
    facts_frame([*alone, *of_roles(table, "utility")]).write_parquet(tmp_path / "facts.parquet")
    words = ("--facts", tmp_path / "facts.parquet", "--attacks", "none", "--out")
    lost = here / "lost everything"
    unjudged = call("audit", "--before", here / "before", "--after", lost, *words, tmp_path / "one")
    asked = ("audit", "--before", lost, "--after", lost)
    unknown = call(*asked, "--allow-unknown", *words, tmp_path / "two")
    stopped = call(*asked, *words, tmp_path / "four")
    assert stopped.code == 2
    assert "the model before unlearning says none of the 24 facts to forget" in stopped.err
    assert "allow_unknown" in stopped.err
    assert not (tmp_path / "four").exists()
    (tmp_path / "policy.toml").write_text("max_left = 1.0\nmax_unjudged = 1.0\n")
    policy = ("--policy", tmp_path / "policy.toml")
    allowed = call("audit", "--before", here / "before", "--after", lost, *policy, *words, tmp_path / "three")
    for result, folder, begins in (
        (unjudged, "one", "Not judged: 24 of 24 facts (no evidence beside the"),
        (unknown, "two", "Nothing was judged: the first model knew none of the 24 facts."),
        (allowed, "three", "Not judged: 24 of 24 facts"),
    ):
        assert result.code == 3, result.err
        assert "this audit has not passed: " in result.out
        summary = json.loads((tmp_path / folder / "audit.json").read_text())
        assert summary["passed"] is False
        assert summary["finding"][0].startswith(begins)
        page = (tmp_path / folder / "audit.html").read_text()
        assert "Nothing was judged," in page
        assert "Nothing finds" not in page
    assert "Of what should survive, 100% was lost at worst." in (tmp_path / "one" / "audit.html").read_text()
