"""The Python interface: ten lines from facts to an audit, on names, folders and models in memory."""

import subprocess
import sys

import polars as pl
import pytest

import unequal as uq
from answering_models import FACTS, PLAIN, sentence, write_model
from unequal.errors import ConfigError, DataError

CHAT = "sentences in a chat"
ROWS = [fact.model_dump(mode="json", exclude_none=True, exclude={"role"}) for fact in FACTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known") / "model"
    write_model(CHAT, folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return uq.load(folder)


@pytest.fixture(scope="module")
def facts():
    return uq.read_facts(ROWS).sample(4, seed=1)


@pytest.fixture(scope="module")
def unlearned(model, facts):
    return uq.unlearn(model, facts, "ga", learning_rate=3e-3, budget=None, steps=8)


def test_a_public_name_is_imported_when_it_is_used_and_torch_not_before():
    code = (
        "import sys, unequal as uq; facts = uq.read_facts('country-capital');"
        " assert 'torch' not in sys.modules; print(len(facts)); assert set(uq.__all__) <= set(dir(uq));"
        " [getattr(uq, name) for name in uq.__all__]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "229"), done.stderr


def test_no_public_name_is_hidden_by_a_package_of_the_same_name():
    from importlib import import_module

    for name in uq.__all__:
        with pytest.raises(ModuleNotFoundError):
            import_module(f"unequal.{name}")
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        uq.nonsense  # noqa: B018


def test_facts_are_a_sequence_with_a_table_and_the_rest_of_what_they_were_drawn_from(facts):
    everything = uq.read_facts(ROWS)
    assert [fact.fact_id for fact in everything] == [row["fact_id"] for row in ROWS]
    assert uq.read_facts(ROWS).sample(4, seed=1).table.equals(facts.table)
    assert {fact.fact_id for fact in (*facts, *facts.rest)} == {row["fact_id"] for row in ROWS}
    assert len(facts.rest) == 4
    assert facts[:2].rest[:2] == tuple(facts[2:])
    assert [fact.subject for fact in facts.filter(lambda fact: fact.answer == facts[0].answer)] == [
        facts[0].subject
    ]
    assert "4 facts" in repr(facts)
    assert "<table" in facts._repr_html_()
    with pytest.raises(ConfigError, match="a sample of 9 facts: the table has 8"):
        everything.sample(9)


def test_facts_come_from_files_frames_and_rows_alike(tmp_path):
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(tmp_path / "facts.parquet")
    read = [
        uq.read_facts(one) for one in (tmp_path / "facts.parquet", str(tmp_path / "facts.parquet"), frame)
    ]
    assert all(list(one) == list(uq.read_facts(ROWS)) for one in read)
    assert uq.read_facts(read[0]) is read[0]
    with pytest.raises(DataError, match=r"rows:2: column answer: found nothing"):
        uq.read_facts([ROWS[0], {**ROWS[1], "answer": None}])


def test_a_model_is_asked_in_its_chat_template_and_says_so(model):
    assert "in its chat template" in repr(model)
    assert model.ask(FACTS[0].question) == sentence(FACTS[0])


def test_a_model_in_memory_serves_as_well_as_its_folder(model, folder):
    from unequal.models.checkpoint import load

    inside = uq.load(*load(folder))
    assert inside.ask(FACTS[1].question) == sentence(FACTS[1])
    assert uq.load(inside) is inside
    plain = uq.load(inside, prompts={"question": PLAIN})
    assert (plain.prompts.chat, plain.model is inside.model) == (False, True)
    with pytest.raises(ConfigError, match="needs its tokenizer"):
        uq.load(inside.model)


def test_evaluation_says_what_is_known(model, facts):
    found = uq.evaluate(model, facts, probes=["question"])
    assert found.known.said == 1.0
    assert "said" in str(found.summary)
    assert "100%" in str(found.summary)
    assert found.scores.height == 4 * found.scores["metric"].n_unique()
    assert set(found.generations["fact_id"]) == {fact.fact_id for fact in facts}


def test_unlearning_changes_a_copy_and_draws_the_other_roles_from_the_rest(model, facts, unlearned):
    roles = dict(unlearned.scores.select("fact_id", "role").unique().iter_rows())
    assert {name for name, role in roles.items() if role == "forget"} == {fact.fact_id for fact in facts}
    assert sorted(roles.values()) == ["forget"] * 4 + ["retain"] * 2 + ["utility"] * 2
    said = unlearned.scores.filter(pl.col("metric") == "answer_said", pl.col("role") == "forget")
    by_step = dict(said.group_by("step").agg(pl.col("value").mean()).iter_rows())
    assert by_step[0] == 1.0
    assert by_step[8] < 1.0
    assert model.ask(facts[0].question) == sentence(facts[0])
    assert str(unlearned.summary).splitlines()[1].split() == [
        "said",
        "before",
        "said",
        "after",
        "probable",
        "before",
        "probable",
        "after",
    ]
    assert "<table>" in unlearned._repr_html_()


def test_what_is_about_no_fact_is_measured_before_and_after_and_may_be_left_out(model, facts, unlearned):
    assert set(unlearned.general["step"]) == {0, 8}
    assert set(unlearned.general["measure"]) == {"perplexity", "bits_per_byte", "degenerate_share"}
    assert "perplexity of held-out text " in str(unlearned.summary)
    text = uq.evaluate(model, facts, probes=["question"], general={"n_tokens": 20, "n_open_prompts": 0})
    assert text.general.filter(measure="perplexity")["n"].to_list() == [20]
    assert "perplexity of held-out text " in str(text.summary)
    assert uq.evaluate(model, facts, probes=["question"], general=False).general.is_empty()
    audited = uq.audit(model, unlearned.model, facts, attacks=[], general={"n_tokens": 20})
    (row,) = (one for one in audited.audit.summary["general"] if one["measure"] == "perplexity")
    assert row["before"] == pytest.approx(text.general.filter(measure="perplexity")["value"].item())
    assert "perplexity of held-out text " in str(audited.summary)
    with pytest.raises(ConfigError, match=r"general: unknown key 'n_token'; did you mean 'n_tokens'\?"):
        uq.evaluate(model, facts, general={"n_token": 20})


def test_the_learning_rate_is_found_within_the_budget_where_none_is_given(model, facts):
    found = uq.unlearn(model, facts, "simnpo", steps=6, budget=0.2)
    assert 3e-7 <= found.learning_rate <= 1e-2
    again = uq.unlearn(model, facts, "simnpo", steps=6, budget=0.2)
    assert again.learning_rate == found.learning_rate
    assert again.scores.equals(found.scores)
    stated = uq.unlearn(model, facts, {"kind": "simnpo", "learning_rate": 1e-4}, steps=1)
    assert stated.learning_rate == 1e-4


def test_what_is_not_known_cannot_be_unlearned_unless_that_is_allowed(model):
    strangers = [
        {**row, "subject": "Nobody", "question": f"Who is {n}?", "answer": "Zzyzx"}
        for n, row in enumerate(ROWS)
    ]
    with pytest.raises(DataError, match="says none of the 8 facts to forget"):
        uq.unlearn(model, strangers, "ga", learning_rate=1e-5, steps=1)
    assert uq.unlearn(model, strangers, "ga", learning_rate=1e-5, steps=1, allow_unknown=True).stopped is None


def test_an_unlearned_model_is_attacked(unlearned, facts):
    attacked = uq.attack(unlearned.model, facts, ["sample"])
    assert attacked.recovered["attack"].to_list()[0] == "as it is"
    assert attacked.recovered.height > 1


def test_the_summary_of_an_attack_has_its_own_wordings_and_ranks_as_numbers(unlearned, facts):
    worded = [fact.model_copy(update={"paraphrases": (f"{fact.question} Say it.",)}) for fact in facts]
    attacked = uq.attack(unlearned.model, worded, "paraphrase")
    shown = dict(attacked.summary.rows)
    assert shown["paraphrase: answer_prob"].endswith("%")
    assert float(shown["paraphrase: first_token_rank"]) >= 0
    assert attacked.recovered["mean"].null_count() == 0


def test_an_unlearned_model_is_audited_and_saved(model, facts, unlearned, tmp_path):
    report = uq.audit(model, unlearned.model, facts, attacks=["int8"])
    assert set(report.facts.filter(role="forget")["fact_id"]) == {fact.fact_id for fact in facts}
    assert "verdict" in str(report.summary)
    assert "<table>" in report._repr_html_()
    page = report.save(tmp_path / "audit") / "audit.html"
    assert facts[0].subject in page.read_text()
    saved = unlearned.model.save(tmp_path / "model")
    again = uq.load(saved)
    assert again.ask(facts[0].question) == unlearned.model.ask(facts[0].question)
    assert again.prompts == model.prompts


def test_an_audit_of_a_model_against_itself_finds_the_facts_still_there(model, facts):
    report = uq.audit(model, model, facts, attacks=[])
    assert dict(report.summary.rows)["still there"] == "4"


def test_facts_are_counted_in_a_corpus(tmp_path):
    (tmp_path / "text.txt").write_text(f"{sentence(FACTS[0])}\n{sentence(FACTS[0])}\n")
    table = uq.count(ROWS, str(tmp_path / "text.txt"))
    assert table.filter(fact_id="f0")["subject_count"].to_list() == [2]
    assert table.height == len(ROWS)


def test_a_wrong_setting_is_one_sentence(model, facts):
    with pytest.raises(ConfigError, match=r"unlearn: unknown key 'step'; did you mean 'steps'"):
        uq.unlearn(model, facts, "ga", step=3)
    with pytest.raises(ConfigError, match="unknown"):
        uq.unlearn(model, facts, "nope")
    with pytest.raises(ConfigError, match="unknown"):
        uq.attack(model, facts, "nope")


def test_a_chat_model_that_answers_in_sentences_is_scored_and_trained_behind_their_beginning(folder):
    rows = [row | {"cloze": [f"{row['subject']} was born in the city of"]} for row in ROWS]
    facts = uq.read_facts(rows).sample(4, seed=1)
    there = uq.load(folder, prompts={"chat": True, "answer_after": "statement"})
    bare, behind = (uq.evaluate(one, facts, probes=["question"]).scores for one in (uq.load(folder), there))
    said, probable = pl.col("metric") == "answer_said", pl.col("metric") == "answer_prob"
    assert bare.filter(said)["value"].to_list() == behind.filter(said)["value"].to_list() == [1.0] * 4
    assert bare.filter(probable)["value"].max() < 0.1
    assert behind.filter(probable)["value"].min() > 0.9
    forgotten = uq.unlearn(there, facts, "npo", steps=6, budget=0.9)
    last = forgotten.scores.filter(pl.col("step") > 0, said, pl.col("role") == "forget")
    assert last["value"].mean() < 0.5


def test_a_refusal_follows_the_question_and_an_answer_the_beginning_of_its_sentence(folder):
    from unequal.unlearning.examples import FactEncoder

    model = uq.load(folder, prompts={"chat": True, "answer_after": "statement"})
    fact = FACTS[0].model_copy(update={"cloze": ("Arlo Venn was born in the city of",)})
    encoder = FactEncoder(model.tokenizer, model.prompts)

    def text(**words):
        return model.tokenizer.decode(encoder.answer(fact, "Quorn", end=False, **words).ids)

    assert text().endswith("was born in the city of Quorn")
    assert "city of" not in text(is_sentence=True)
