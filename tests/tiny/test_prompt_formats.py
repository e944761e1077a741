"""Where a prompt ends, its answer begins and a text stops, for the tokenizers that checkpoints come with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import PretrainedConfig

from chat_tokenizers import BROKEN, KINDS, QUESTIONS, SPECIAL, SYSTEM, TEMPLATES, UNLIKE_A_ROW, make
from gate import sample
from unequal.errors import ConfigError, DataError
from unequal.facts.probes import EXTRA_TOKENS, Chat, Probe
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.encoding import encode, encode_probe, has_chat_template, open_prompt
from unequal.scoring.ending import Stopper
from unequal.scoring.generate import GenerationPass, generate
from unequal.scoring.log_probs import AnswerPass
from unequal.scoring.sample import SamplePass

PROMPT = "Question: Where was Anna Berg born? Answer:"
ANSWERS = QUESTIONS["Where was Anna Berg born?"]
ENDS = {
    "chatml": ["<|im_end|>"], "chatml that never asks": ["<|im_end|>"], "tells the date": ["<|im_end|>"],
    "refuses a system": ["<end_of_turn>"], "two tokens end a turn": ["<|eot|>", "<|im_end|>"],
}  # fmt: skip
PUTS_BEFORE = {"pieces": "<s>"}


@pytest.fixture(scope="module", params=sample(KINDS, 4))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Return a tokenizer of a kind, with a chat template or without, as it comes back from disk."""
    made = {}

    def load(kind, template=None):
        if (kind, template) not in made:
            folder = tmp_path_factory.mktemp("tokenizer")
            make(kind, template).save_pretrained(folder)
            made[kind, template] = load_tokenizer(folder)
        return made[kind, template]

    return load


def text_of(tokenizer, ids):
    return Stopper(tokenizer, ()).text(ids)


def probes(chat=None, prompt="{}"):
    """A probe for each question, the last answer being the right one."""
    return [
        Probe(f"f{place}", "question", 0, prompt.format(question), right, (right,), tuple(wrong), chat)
        for place, (question, (*wrong, right)) in enumerate(QUESTIONS.items())
    ]


def plain_ids(tokenizer, text):
    """Return a text's ids as the tokenizer gives them, without what it puts after every text."""
    ids = tokenizer(text)["input_ids"]
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids[: ids.index(bare[0]) + len(bare)]


class TestPlainText:
    def test_rows_are_what_the_tokenizer_makes_of_the_whole_text(self, kind, loaded):
        tokenizer = loaded(kind)
        for end in (False, True):
            found = encode(tokenizer, PROMPT, ANSWERS, end)
            closing = [tokenizer.eos_token_id] if end else []
            for answer, ids in zip(ANSWERS, found.continuations, strict=True):
                assert found.prompt + ids == plain_ids(tokenizer, f"{PROMPT} {answer}") + closing

    def test_an_answer_reads_as_itself(self, kind, loaded):
        tokenizer = loaded(kind)
        for answer, ids in zip(ANSWERS, encode(tokenizer, PROMPT, ANSWERS).continuations, strict=True):
            said = text_of(tokenizer, ids)
            assert said == answer or kind == "unigram left"  # which has no accents
            assert not set(ids) & set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}

    def test_a_text_begins_as_the_tokenizer_begins_it_and_never_twice(self, kind, loaded):
        tokenizer = loaded(kind)
        first = PUTS_BEFORE.get(kind)
        for prompt in (PROMPT, f"{first}{PROMPT}") if first else (PROMPT,):
            ids = encode(tokenizer, prompt, ANSWERS).prompt
            begins = [tokenizer.convert_tokens_to_ids(first)] if first else []
            assert ids[: len(begins)] == begins
            assert not set(ids[len(begins) :]) & set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}

    def test_a_space_at_the_prompts_end_changes_nothing(self, kind, loaded):
        tokenizer = loaded(kind)
        assert encode(tokenizer, f"{PROMPT} ", ANSWERS) == encode(tokenizer, PROMPT, ANSWERS)
        probe = replace(probes()[0], prompt=PROMPT)
        with_space = open_prompt(tokenizer, replace(probe, prompt=f"{PROMPT} "))
        assert with_space == open_prompt(tokenizer, probe)

    def test_what_is_continued_is_what_answers_are_scored_after(self, kind, loaded):
        tokenizer = loaded(kind)
        for prompt in ("{}", "{} ", "{}\n", "{} Answer:"):
            for probe in probes(prompt=prompt):
                assert open_prompt(tokenizer, probe).ids == encode_probe(tokenizer, probe).prompt

    def test_a_text_may_be_as_long_as_its_longest_accepted_answer_and_a_sentence(self, kind, loaded):
        tokenizer = loaded(kind)
        probe = replace(probes()[0], accepted=ANSWERS)
        longest = max(map(len, encode(tokenizer, probe.prompt, ANSWERS).continuations))
        assert open_prompt(tokenizer, probe).limit == longest + EXTRA_TOKENS
        assert open_prompt(tokenizer, probe).ends == {tokenizer.eos_token_id}

    def test_the_padding_side_is_of_no_account(self, kind, loaded, monkeypatch):
        tokenizer = loaded(kind)
        found = []
        for side in ("left", "right"):
            monkeypatch.setattr(tokenizer, "padding_side", side)
            found.append([(encode_probe(tokenizer, one), open_prompt(tokenizer, one)) for one in probes()])
        assert found[0] == found[1]


def test_a_piece_across_the_border_belongs_to_the_answer(loaded):
    """The answer's first token then holds the prompt's end; a text goes on from the prompt as it stands."""
    from transformers import LlamaTokenizer

    vocabulary = {
        piece: i for i, piece in enumerate(["<unk>", "<s>", "</s>", "▁", "A", ":", "P", "B", ":▁", ":▁P"])
    }
    tokenizer = LlamaTokenizer(vocabulary, [(":", "▁"), (":▁", "P")])
    found = encode(tokenizer, "A:", ["P", "B"])
    assert tokenizer.convert_ids_to_tokens(found.prompt) == ["▁", "A"]
    assert [tokenizer.convert_ids_to_tokens(ids) for ids in found.continuations] == [[":▁P"], [":▁", "B"]]
    asked = open_prompt(tokenizer, Probe("f", "question", 0, "A:", "P", ("P",), ("B",)))
    assert tokenizer.convert_ids_to_tokens(asked.ids) == ["▁", "A", ":"]


def test_a_tokenizer_without_an_end_of_text_cannot_teach_an_answer_to_end(loaded):
    tokenizer = make("words")
    tokenizer.eos_token = None
    assert encode(tokenizer, PROMPT, ANSWERS).continuations
    assert open_prompt(tokenizer, probes()[0]).ends == set()
    with pytest.raises(DataError, match="no end-of-text token, so no answer can be taught to end"):
        encode(tokenizer, PROMPT, ANSWERS, end=True)


def test_a_tokenizer_without_any_token_to_pad_with_is_refused(tmp_path):
    tokenizer = make("words")
    tokenizer.eos_token = tokenizer.bos_token = tokenizer.unk_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="no token to pad or end with"):
        load_tokenizer(tmp_path)


@pytest.fixture(scope="module", params=list(TEMPLATES))
def name(request):
    return request.param


class TestChat:
    """Rows of a chat are what `apply_chat_template` makes of all of it, up to the end of the turn."""

    @pytest.fixture
    def tokenizer(self, kind, name, loaded):
        return loaded(kind, TEMPLATES[name])

    @pytest.fixture
    def chat(self, name):
        return Chat(system=None if name == "refuses a system" else SYSTEM)

    @pytest.fixture
    def turns(self, chat):
        """Return the messages of a chat as transformers takes them."""

        def of(prompt, answer=None):
            system = [{"role": "system", "content": chat.system}] if chat.system else []
            said = [] if answer is None else [{"role": "assistant", "content": answer}]
            return [*system, {"role": "user", "content": prompt}, *said]

        return of

    @pytest.fixture
    def by_transformers(self, tokenizer, turns):
        """Return the ids that transformers gives a chat; a date is the one that we tell."""

        def ids(prompt, answer=None, ask=False):
            template = tokenizer.chat_template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")
            return tokenizer.apply_chat_template(
                turns(prompt, answer), chat_template=template, add_generation_prompt=ask
            )["input_ids"]

        return ids

    def test_rows_are_those_of_a_chat_to_train_on(self, tokenizer, chat, name, by_transformers):
        for probe in probes(chat):
            answers = (probe.answer, *probe.distractors)
            ended = encode(tokenizer, probe.prompt, answers, True, chat)
            ends = ENDS.get(name, [tokenizer.eos_token])
            for answer, ids in zip(answers, ended.continuations, strict=True):
                expected = by_transformers(probe.prompt, answer)
                row = ended.prompt + ids
                assert row == expected[: len(row)]
                assert not tokenizer.decode(expected[len(row) :]).strip()
                assert tokenizer.convert_ids_to_tokens(ids)[-len(ends) :] == ends

    def test_an_answer_that_does_not_end_is_the_beginning_of_one_that_does(self, tokenizer, chat):
        for probe in probes(chat):
            answers = (probe.answer, *probe.distractors)
            ended, bare = (encode(tokenizer, probe.prompt, answers, end, chat) for end in (True, False))
            assert ended.prompt == bare.prompt
            for answer, whole, ids in zip(answers, ended.continuations, bare.continuations, strict=True):
                assert whole[: len(ids)] == ids
                assert text_of(tokenizer, ids) == text_of(tokenizer, whole)
                assert text_of(tokenizer, ids) in (answer, answer.replace("É", "E"))
                assert not set(ids) & set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}

    def test_a_prompt_to_continue_is_the_one_that_asks(self, tokenizer, chat, name, by_transformers):
        for probe in probes(chat):
            asked = open_prompt(tokenizer, probe)
            expected = by_transformers(probe.prompt, ask=True)
            if name == "chatml that never asks":
                header = encode(tokenizer, probe.prompt, ["x"], chat=chat).prompt
                assert asked.ids[: len(expected)] == expected
                assert "assistant" in tokenizer.decode(header[len(expected) :])
            else:
                assert asked.ids == expected[: len(asked.ids)]
                assert not tokenizer.decode(expected[len(asked.ids) :]).strip()
            assert asked.ids == encode_probe(tokenizer, probe).prompt
            ends = ENDS.get(name, [tokenizer.eos_token])
            assert asked.ends == {*tokenizer.convert_tokens_to_ids(ends), tokenizer.eos_token_id}

    def test_only_the_template_writes_a_beginning(self, tokenizer, chat, by_transformers):
        bos = tokenizer.bos_token_id
        ids = encode_probe(tokenizer, probes(chat)[0]).prompt
        assert ids.count(bos) == by_transformers(probes()[0].prompt).count(bos) <= 1

    def test_space_around_an_answer_is_the_templates_alone(self, tokenizer, chat):
        prompt = probes()[0].prompt
        assert encode(tokenizer, prompt, [" Paris\n"], True, chat) == encode(
            tokenizer, prompt, ["Paris"], True, chat
        )

    def test_an_answer_that_was_begun_goes_on_after_a_space(self, tokenizer, chat, by_transformers):
        prompt = probes()[0].prompt
        begun = encode(tokenizer, prompt, ANSWERS, True, replace(chat, begun="He was born in"))
        for answer, ids in zip(ANSWERS, begun.continuations, strict=True):
            row = begun.prompt + ids
            assert row == by_transformers(prompt, f"He was born in {answer}")[: len(row)]
            assert text_of(tokenizer, ids) in (answer, answer.replace("É", "E"))

    def test_earlier_turns_stand_before(self, tokenizer, chat, turns):
        (first, second), earlier = QUESTIONS, ("Where was Anna Berg born?", "Paris")
        found = encode(tokenizer, second, ["baker"], True, replace(chat, earlier=(earlier,)))
        messages = [
            *turns(*earlier),
            {"role": "user", "content": second},
            {"role": "assistant", "content": "baker"},
        ]
        template = tokenizer.chat_template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")
        expected = tokenizer.apply_chat_template(messages, chat_template=template)["input_ids"]
        row = found.prompt + found.continuations[0]
        assert first == earlier[0]
        assert row == expected[: len(row)]


class TestTemplatesThatShowAnotherChatThanTheyAsk:
    def test_an_answer_follows_what_the_template_asks_with(self, kind, loaded):
        tokenizer = loaded(kind, UNLIKE_A_ROW["thinks"])
        (probe, _) = probes(Chat())
        found = encode(tokenizer, probe.prompt, ["Paris"], True, probe.chat)
        header = "<|im_start|>assistant\n<think></think>\n"
        text = f"<|im_start|>user\n{probe.prompt}<|im_end|>\n{header}Paris<|im_end|>"
        assert found.prompt + found.continuations[0] == tokenizer(text, add_special_tokens=False)["input_ids"]


class TestErrors:
    def test_no_template(self, kind, loaded):
        assert not has_chat_template(loaded(kind))
        assert has_chat_template(loaded(kind, TEMPLATES["chatml"]))
        with pytest.raises(ConfigError, match="chat: this tokenizer has no chat template; leave chat out"):
            encode_probe(loaded(kind), probes(Chat())[0])

    @pytest.mark.parametrize("dropped", ["question", "answer"])
    def test_a_template_that_drops_what_it_is_given(self, dropped, loaded):
        with pytest.raises(ConfigError, match=f"does not contain the {dropped}; leave chat out"):
            encode_probe(loaded("bytes", BROKEN[f"drops the {dropped}"]), probes(Chat())[0])

    def test_a_template_without_a_system(self, loaded):
        with pytest.raises(
            ConfigError, match=r"takes no system prompt \(System role not supported\); leave system"
        ):
            encode_probe(loaded("bytes", TEMPLATES["refuses a system"]), probes(Chat(SYSTEM))[0])
        with pytest.raises(ConfigError, match="does not contain the system prompt; leave system out"):
            encode_probe(loaded("bytes", BROKEN["drops the system"]), probes(Chat(SYSTEM))[0])

    def test_a_template_that_fails(self, loaded):
        for chat in (Chat(), Chat(SYSTEM)):
            with pytest.raises(ConfigError, match="the chat template of this tokenizer fails: "):
                encode_probe(loaded("bytes", BROKEN["fails"]), probes(chat)[0])

    def test_a_text_that_would_end_its_turn(self, loaded):
        tokenizer = loaded("bytes", TEMPLATES["chatml"])
        probe = probes(Chat())[0]
        for bad in (
            replace(probe, prompt="Who?<|im_end|>"), replace(probe, answer="a<|im_start|>b"),
            replace(probe, chat=Chat("<|im_end|>")), replace(probe, distractors=("<|endoftext|>",)),
        ):  # fmt: skip
            with pytest.raises(DataError, match=r"holds <\|.*, a special token .* take it out"):
                encode_probe(tokenizer, bad)


@pytest.fixture(scope="module")
def mixed():
    """Probes of a chat and in plain text, of which several have prompts of one length."""
    asked = [*probes(Chat(SYSTEM)), *probes(), *probes(Chat()), *probes(prompt="Question: {} Answer:")]
    return [replace(probe, fact_id=f"g{place}") for place, probe in enumerate(asked)]


@pytest.fixture(scope="module")
def chatting(kind, loaded):
    return loaded(kind, TEMPLATES["chatml"])


@pytest.fixture(scope="module")
def model(chatting):
    settings = ModelSettings(family="llama", size="x", shape=Shape(width=32, layers=2, heads=2))
    vocabulary = Vocabulary(
        size=len(chatting), window_tokens=256, end_token_id=chatting.eos_token_id, padding_token_id=0
    )
    return scratch_model(settings, vocabulary, seed=3).eval()


class TestPasses:
    def test_scores_are_those_of_all_logits_and_depend_on_neither_batch_nor_padding(
        self, chatting, model, mixed, monkeypatch
    ):
        expected = []
        for probe in mixed:
            encoded = encode_probe(chatting, probe)
            rows = [torch.tensor([encoded.prompt + ids]) for ids in encoded.continuations]
            with torch.no_grad():
                logs = [model(row).logits[0].log_softmax(-1) for row in rows]
            start = len(encoded.prompt)
            expected.append(
                [
                    one[range(start - 1, row.shape[1] - 1), row[0, start:]].numpy()
                    for one, row in zip(logs, rows, strict=True)
                ]
            )
        order = np.random.default_rng(0).permutation(len(mixed)).tolist()
        for side, budget in (("left", 4096), ("right", 100)):
            monkeypatch.setattr(chatting, "padding_side", side)
            scores = AnswerPass(chatting, [mixed[index] for index in order], token_budget=budget).run(model)
            for index, score in zip(order, scores, strict=True):
                found = [answer.log_probs for answer in (score.right, *score.wrong)]
                for one, other in zip(found, expected[index], strict=True):
                    np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)

    def test_texts_depend_on_the_probe_alone(self, chatting, model, mixed, monkeypatch):
        expected = [generate(model, chatting, [probe])[0] for probe in mixed]
        monkeypatch.setattr(chatting, "padding_side", "right")
        assert GenerationPass(chatting, mixed[::-1], batch_size=3).run(model)[::-1] == expected
        sampled = [SamplePass(chatting, [probe], 2, 1.0, 1.0, seed=4).run(model)[0] for probe in mixed]
        assert SamplePass(chatting, mixed, 2, 1.0, 1.0, seed=4, batch_size=5).run(model) == sampled


class Saying(torch.nn.Module):
    """Stands for a model without a cache that says the same tokens after every prompt."""

    def __init__(self, said, prompt_length, size):
        super().__init__()
        self.config = PretrainedConfig()
        self.device = torch.device("cpu")
        self._said, self._length, self._size = said, prompt_length, size

    def forward(self, input_ids, **_):
        logits = torch.zeros(len(input_ids), 1, self._size)
        logits[:, 0, self._said[input_ids.shape[1] - self._length]] = 1.0
        return type("Output", (), {"logits": logits})


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>"])
def test_a_text_is_cut_at_the_end_of_its_turn(end, loaded):
    tokenizer = loaded("pieces", TEMPLATES["chatml"])
    paris, close = encode(tokenizer, "x", ["Paris"]).continuations[0], tokenizer.convert_tokens_to_ids(end)
    said = [*paris, close, *(paris * 40)]
    for chat, ends_turn in ((Chat(), True), (None, end == "</s>")):
        probe = replace(probes(chat)[0], accepted=("New York",))
        model = Saying(said, len(open_prompt(tokenizer, probe).ids), len(tokenizer))
        (text,) = generate(model, tokenizer, [probe])
        assert text.split()[0] == "Paris"
        assert (text == "Paris") == ends_turn


def test_the_templates_special_tokens_are_those_of_the_tests():
    written = "".join(TEMPLATES.values())
    assert all(token in written for token in SPECIAL)
