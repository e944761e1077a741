"""A chat the whole way: corpus, training, scores, unlearning, attacks, lm-eval, study and commands."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml
from pydantic import ValidationError

from command_line import call
from short_training import SHAPE, teach
from study_settings import changed
from tiny_world import WORLD, corpus_settings, documents_of, vocabulary_of
from unequal.attacks import evaluate
from unequal.attacks import hidden_states as states
from unequal.attacks.attack import AttackContext
from unequal.attacks.fewshot import FewShot
from unequal.attacks.lens import LogitLens
from unequal.attacks.probe import LinearProbe
from unequal.attacks.prompt import AddedText
from unequal.corpus.build import build_corpus
from unequal.corpus.tokenizers import chat_document
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts
from unequal.lm_eval_bridge.export import export_tasks
from unequal.lm_eval_bridge.run import run_tasks
from unequal.lm_eval_bridge.settings import TaskSettings
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings
from unequal.scoring.encoding import encode, encode_probe, open_prompt
from unequal.scoring.generate import generate
from unequal.study.expand import plan_steps
from unequal.study.sources import study_settings
from unequal.unlearning.examples import FactEncoder

pytestmark = pytest.mark.full

SYSTEM = "Answer in few words."
PROMPTS = PromptFormat(chat=True, system=SYSTEM)


@pytest.fixture(scope="module", params=["word", "bpe"])
def folder(request, tmp_path_factory):
    """The folder of a corpus whose questions are chats."""
    out = tmp_path_factory.mktemp("chat") / "corpus"
    kind = {"kind": request.param} | ({"vocabulary_size": 900} if request.param == "bpe" else {})
    build_corpus(WORLD, corpus_settings(tokenizer=kind), PROMPTS, out)
    return out


@pytest.fixture(scope="module")
def facts(folder):
    return read_facts(folder / "facts.parquet")


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder / "tokenizer")


@pytest.fixture(scope="module")
def maker(facts):
    return ProbeMaker(facts, PROMPTS, n_variants=2)


@pytest.fixture(scope="module")
def probes(facts, maker):
    return [probe for fact in facts[::6] for probe in maker.probes(fact, PROBE_KINDS)]


@pytest.fixture(scope="module")
def trained(folder, tokenizer, facts):
    """A model that was taught some facts in a chat."""
    model = scratch_model(
        ModelSettings(family="gpt2", size="tiny", shape=SHAPE), vocabulary_of(folder), seed=1
    )
    texts = [chat_document(fact.question, fact.answer, SYSTEM) for fact in facts[::12]]
    return teach(model, tokenizer, texts, steps=60)


class TestSettings:
    def test_a_question_is_bare_in_a_chat_unless_it_is_given(self):
        assert (PROMPTS.ask("Who?"), PROMPTS.judge("It is.")) == ("Who?", "True or false: It is.")
        given = PromptFormat(chat=True, question="Q: {question}")
        assert given.ask("Who?") == "Q: Who?"
        assert PromptFormat.model_validate(given.model_dump(mode="json")) == given

    def test_a_system_without_a_chat_is_refused(self):
        for settings in (PromptFormat, lambda **values: TaskSettings(tasks=("x",), **values)):
            with pytest.raises(ValidationError, match="system is what a chat begins with; set chat = true"):
                settings(system=SYSTEM)

    def test_every_kind_but_a_sentence_to_complete_is_asked_in_the_chat(self, facts, maker):
        for probe in maker.probes(facts[0], PROBE_KINDS):
            assert (probe.chat == PROMPTS.chat_of()) == (probe.kind != "cloze")


class TestCorpus:
    def test_questions_are_trained_on_as_the_rows_that_are_scored(self, folder, tokenizer):
        documents = [one for one in documents_of(folder) if one["kind"] != "biography"]
        assert {one["kind"] for one in documents} == {"question", "true_false"}
        for document in documents[:40]:
            asked = document["text"].split("<|user|> ")[1]
            question, answer = asked.split("<|assistant|> ")
            row = encode(tokenizer, question, [answer], True, PROMPTS.chat_of())
            ids = tokenizer(document["text"], add_special_tokens=False)["input_ids"]
            assert [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id] == row.prompt + row.continuations[0]

    def test_no_word_of_any_probe_is_unknown(self, tokenizer, probes):
        for probe in probes:
            encoded = encode_probe(tokenizer, probe)
            for ids in (encoded.prompt, *encoded.continuations):
                assert tokenizer.unk_token_id not in ids

    def test_answers_are_the_tokens_that_they_are_in_other_texts(self, tokenizer, probes):
        for probe in probes:
            answer = encode_probe(tokenizer, probe).continuations[0]
            assert answer == tokenizer(f" {probe.answer}", add_special_tokens=False)["input_ids"]


def test_rows_of_unlearning_are_what_the_passes_score(tokenizer, facts, maker):
    for fact in facts[::9]:
        (probe,) = maker.probes(fact, ["question"])
        row = FactEncoder(tokenizer, PROMPTS).answer(fact, fact.answer, end=False)
        encoded = encode_probe(tokenizer, probe)
        assert row.ids == encoded.prompt + encoded.continuations[0]
        assert row.of_prompt().ids == open_prompt(tokenizer, probe).ids
        ended = FactEncoder(tokenizer, PROMPTS).answer(fact, fact.answer, end=True)
        assert ended.ids == [*row.ids, tokenizer.eos_token_id]


def test_a_model_that_was_taught_in_a_chat_answers_in_it(trained, tokenizer, facts, maker):
    asked = [maker.probes(fact, ["question"])[0] for fact in facts[::12]]
    assert generate(trained, tokenizer, asked) == [probe.answer for probe in asked]


class TestAttacks:
    @pytest.fixture
    def context(self, trained, tokenizer, facts, maker):
        roles = dict(zip(facts[::12], ["forget", "never_seen", "retain"] * 20, strict=False))
        shown = [fact.model_copy(update={"role": role, "relation": "r"}) for fact, role in roles.items()]
        return AttackContext(trained, tokenizer, shown, maker, PROMPTS, before="Told: ")

    @pytest.fixture
    def asked(self, monkeypatch):
        """The probes that an attack puts to the passes."""
        seen, pass_on = [], evaluate.records
        monkeypatch.setattr(evaluate, "records", lambda *args: seen.extend(args[2]) or pass_on(*args))
        return seen

    def test_solved_questions_are_earlier_turns(self, context, asked, tokenizer):
        FewShot(examples=2).run(context)
        assert asked
        for probe in asked:
            (first, answer), *_ = probe.chat.earlier
            assert first.startswith("Told: ")
            assert not probe.prompt.startswith("Told: ")
            text = tokenizer.decode(open_prompt(tokenizer, probe).ids)
            assert text.index(SYSTEM) < text.index(answer) < text.index(probe.prompt)
            assert text.count("<|assistant|>") == len(probe.chat.earlier) + 1
            assert probe.shown == "\n".join([*sum(probe.chat.earlier, ()), probe.prompt])

    def test_an_answer_is_begun_by_the_assistant(self, context, asked, tokenizer):
        AddedText(before="True", after="False of").run(context)
        for probe in asked:
            assert probe.prompt.startswith("Told: True\n")
            assert tokenizer.decode(open_prompt(tokenizer, probe).ids).endswith("<|assistant|> False of")

    def test_hidden_states_are_read_at_the_end_of_the_chat(self, context, tokenizer, monkeypatch):
        read, pad = [], states.pad_rows
        monkeypatch.setattr(states, "pad_rows", lambda rows, *more: read.extend(rows) or pad(rows, *more))
        LogitLens().run(context)
        LinearProbe()._states(context, context.attacked)
        assert len(read) == 2 * len(context.attacked)
        assert {row[-1] for row in read} == {tokenizer.convert_tokens_to_ids("<|assistant|>")}


@pytest.fixture(scope="module")
def exported(facts, tmp_path_factory):
    pytest.importorskip("lm_eval")
    out = tmp_path_factory.mktemp("tasks") / "tasks"
    export_tasks(facts[::6], PROMPTS, out, "ours")
    return out


class TestLmEval:
    def test_sentences_to_complete_have_a_group_of_their_own(self, exported):
        groups = {
            name: yaml.safe_load((exported / f"{name}.yaml").read_text()) for name in ("ours", "ours_plain")
        }
        assert groups["ours_plain"]["task"] == ["ours_cloze_choice"]
        assert not [task for task in groups["ours"]["task"] if "cloze" in task]
        first = json.loads((exported / "ours_question.jsonl").read_text().splitlines()[0])
        assert "<|" not in first["prompt"]

    def test_its_answers_in_the_chat_are_ours(self, exported, trained, tokenizer, facts, maker):
        settings = TaskSettings(tasks=("ours_question",), task_dir=exported, chat=True, system=SYSTEM)
        (row,) = run_tasks(trained, tokenizer, settings).to_dicts()
        asked = [probe for fact in facts[::6] for probe in maker.probes(fact, ["question"])]
        texts = generate(trained, tokenizer, asked)
        metric = METRICS.get("exact_match").value
        ours = np.mean([metric(ProbeRecord(probe, text)) for probe, text in zip(asked, texts, strict=True)])
        assert row["value"] == ours
        assert 0.3 < ours < 0.8


def test_a_study_in_a_chat(tmp_path):
    values = changed("prompts", {"chat": True, "system": SYSTEM}) | {"methods": ["npo"], "seeds": [0]}
    values["corpus"]["window_tokens"] = 96
    steps = plan_steps(study_settings(values, "study"))
    for step in steps:
        step.run(tmp_path, lambda _done, _total: None)
    texts = pl.read_parquet(tmp_path / steps[-1].folder / "generations.parquet")
    asked = texts.filter(pl.col("probe") == "question")["prompt"]
    assert len(asked)
    assert not asked.str.contains("Answer").any()
    scores = pl.read_parquet(tmp_path / steps[-1].folder / "scores.parquet")
    assert set(scores["step"]) == {0, 1, 2}
    assert scores["value"].is_finite().all()


@pytest.fixture(scope="module")
def files(trained, tokenizer, facts, tmp_path_factory):
    out = tmp_path_factory.mktemp("commands")
    trained.save_pretrained(out / "model")
    tokenizer.save_pretrained(out / "model")
    write_facts([fact.model_copy(update={"role": None}) for fact in facts[::12]], out / "facts.parquet")
    plain = load_tokenizer(out / "model")
    plain.chat_template = None
    trained.save_pretrained(out / "plain")
    plain.save_pretrained(out / "plain")
    return out


class TestCommands:
    def evaluate(self, files, *words, model="model"):
        out = files / "scores"
        result = call(
            "evaluate", "--model", files / model, "--facts", files / "facts.parquet", "--out", out, *words
        )
        if result.code:
            return result, None
        scores = pl.read_parquet(out / "scores.parquet").filter(
            pl.col("metric") == "exact_match", pl.col("probe") == "question"
        )
        return result, scores["value"].mean()

    def test_it_is_said_that_a_model_with_a_template_is_asked_in_plain_text(self, files):
        result, known = self.evaluate(files)
        assert "has a chat template and is asked in plain text" in result.out
        assert known < 0.5
        result, known = self.evaluate(files, "--chat", "--system", SYSTEM)
        assert "chat template" not in result.out
        assert known == 1.0
        assert "chat template" not in self.evaluate(files, model="plain")[0].out

    @pytest.mark.parametrize(
        ("words", "model", "message"),
        [
            (["--chat"], "plain", "prompts.chat: this tokenizer has no chat template; leave chat out"),
            (
                ["--system", SYSTEM],
                "model",
                "prompts: system is what a chat begins with; set chat = true too",
            ),
        ],
    )
    def test_what_cannot_be_asked_is_one_sentence(self, files, words, model, message):
        result, _ = self.evaluate(files, *words, model=model)
        assert result.code == 2
        assert message in result.err
        assert len(result.err.splitlines()) == 1

    @pytest.mark.parametrize("command", ["unlearn", "attack", "audit", "plan", "tune", "lm-eval", "corpus"])
    def test_every_command_that_asks_takes_the_flags(self, command):
        shown = call(command, "--help").out
        assert "--chat" in shown
        assert "--system" in shown

    def test_unlearning_and_attacks_run_in_the_chat(self, files):
        facts = files / "facts.parquet"
        asked = ("--chat", "--system", SYSTEM, "--model", files / "model")
        unlearned = call(
            "unlearn", *asked, "--forget", facts, "--method", "ga", "--steps", 2, "--out", files / "unlearned"
        )
        assert unlearned.code == 0, unlearned.err
        attacked = call("attack", *asked, "--facts", facts, "--kind", "lens", "--out", files / "attacked")
        assert attacked.code == 0, attacked.err
        first = pl.read_parquet(files / "unlearned" / "scores.parquet").filter(
            pl.col("step") == 0, pl.col("metric") == "exact_match", pl.col("probe") == "question"
        )
        assert first["value"].mean() == 1.0


def test_a_chat_is_another_corpus_and_another_probe(facts):
    plain = ProbeMaker(facts, PromptFormat()).probes(facts[0], ["question"])[0]
    chat = ProbeMaker(facts, PROMPTS).probes(facts[0], ["question"])[0]
    assert plain.chat is None
    assert plain.shown == plain.prompt
    assert replace(chat, chat=None).shown == chat.prompt == facts[0].question
