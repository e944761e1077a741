"""The teacher-forced pass gives what plain logits give, whatever it is batched with."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from unequal.errors import DataError
from unequal.facts.probes import Probe
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring import log_probs as module
from unequal.scoring.encoding import encode, length_batches
from unequal.scoring.log_probs import AnswerPass, log_probs
from unequal.scoring.prefix_tree import grow, tree_mask

TOLERANCE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module")
def pieces():
    """A byte-level BPE tokenizer without special tokens at the front, as GPT-2 has it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = ["Question: Where is the tower? Answer: Paris, in France.\nAnswer: Paris", "Rome Oslo Parma"] * 5
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def piece_model(request, pieces):
    vocabulary = Vocabulary(size=len(pieces), window_tokens=128, end_token_id=0, padding_token_id=0)
    settings = ModelSettings(family=request.param, size="tiny", shape=Shape(width=32, layers=2, heads=4))
    return scratch_model(settings, vocabulary, seed=4).eval()


def probe(prompt, answer, *distractors):
    return Probe("f", "question", 0, prompt, answer, (answer,), distractors)


def naive(model, encoded):
    """Return log-probabilities and ranks of every continuation from all logits, one row at a time."""
    found = []
    for continuation in encoded.continuations:
        ids = torch.tensor([encoded.prompt + continuation])
        with torch.no_grad():
            all_logs = model(input_ids=ids).logits[0].double().log_softmax(-1)
        places = range(len(encoded.prompt) - 1, ids.shape[1] - 1)
        logs = [all_logs[place, ids[0, place + 1]].item() for place in places]
        ranks = [int((all_logs[place] > all_logs[place, ids[0, place + 1]]).sum()) for place in places]
        found.append((logs, ranks))
    return found


def assert_equals_naive(model, tokenizer, probes, scores):
    for probe, score in zip(probes, scores, strict=True):
        encoded = encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors))
        answers = (score.right, *score.wrong)
        assert score.probe is probe
        for answer, (logs, ranks) in zip(answers, naive(model, encoded), strict=True):
            np.testing.assert_allclose(answer.log_probs, logs, **TOLERANCE)
            np.testing.assert_array_equal(answer.ranks, ranks)


@pytest.mark.parametrize("share_prefix", [True, False])
def test_scores_equal_those_from_all_logits(model, tokenizer, probes, share_prefix):
    probes = probes[::3]
    assert_equals_naive(model, tokenizer, probes, log_probs(model, tokenizer, probes, share_prefix))


@pytest.mark.parametrize("share_prefix", [True, False])
def test_scores_equal_those_from_all_logits_with_pieces_of_words(piece_model, pieces, share_prefix):
    probes = [
        probe("Question: Where is the tower? Answer:", "Paris, in France", "Parma", "Rome", "Oslo, Oslo"),
        probe("Answer:\n", "Paris", "Rome in France", "x"),
        probe("Answer: ", "Paris", "Rome"),
        probe("The tower", "is in Paris."),
    ]
    scores = log_probs(piece_model, pieces, probes, share_prefix)
    assert_equals_naive(piece_model, pieces, probes, scores)


def values(scores):
    return [np.concatenate([a.log_probs for a in (score.right, *score.wrong)]) for score in scores]


def assert_close(first, second):
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, **TOLERANCE)


def test_scores_depend_on_neither_order_nor_the_other_probes(model, tokenizer, probes):
    together = values(log_probs(model, tokenizer, probes))
    backwards = values(log_probs(model, tokenizer, probes[::-1]))[::-1]
    alone = [values(log_probs(model, tokenizer, [probe]))[0] for probe in probes[:12]]
    assert_close(together, backwards)
    assert_close(together[:12], alone)


def test_scores_do_not_depend_on_the_size_of_batches(model, tokenizer, probes):
    together = values(log_probs(model, tokenizer, probes))
    assert_close(together, values(AnswerPass(tokenizer, probes, token_budget=100).run(model)))


def test_scores_do_not_depend_on_the_other_answers_of_the_probe(model, tokenizer, probes):
    for original in probes[:5]:
        bare = probe(original.prompt, original.answer)
        (full,), (single,) = (log_probs(model, tokenizer, [p]) for p in (original, bare))
        np.testing.assert_allclose(full.right.log_probs, single.right.log_probs, **TOLERANCE)
        assert single.wrong == ()


def test_a_pass_made_once_follows_the_model_as_it_changes(tokenizer, probes, model):
    ready = AnswerPass(tokenizer, probes[:3])
    before = values(ready.run(model))
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        head.mul_(2)
        after = values(ready.run(model))
        head.mul_(0.5)
    assert not np.allclose(before[0], after[0])
    assert_close(before, values(ready.run(model)))


def test_uniform_logits_give_every_token_one_over_the_vocabulary(tokenizer, probes):
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=8, layers=1, heads=1))
    vocabulary = Vocabulary(size=len(tokenizer), window_tokens=160, end_token_id=0, padding_token_id=1)
    flat = scratch_model(settings, vocabulary, 0).eval()
    torch.nn.init.zeros_(flat.get_output_embeddings().weight)
    for score in log_probs(flat, tokenizer, probes[:6]):
        np.testing.assert_allclose(score.right.log_probs, -np.log(len(tokenizer)), rtol=1e-6)
        assert (score.right.ranks == 0).all()


def test_moments_are_those_of_the_whole_distribution(model, tokenizer, probes):
    probes = probes[::9]
    scores = AnswerPass(tokenizer, probes, moments=True).run(model)
    for probe, score in zip(probes, scores, strict=True):
        encoded = encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors))
        for ids, answer in zip(encoded.continuations, (score.right, *score.wrong), strict=True):
            with torch.no_grad():
                logs = model(torch.tensor([encoded.prompt + ids])).logits[0].double().log_softmax(-1)
            logs = logs[len(encoded.prompt) - 1 : -1].numpy()
            means = (np.exp(logs) * logs).sum(1)
            np.testing.assert_allclose(answer.means, means, atol=1e-5)
            variances = (np.exp(logs) * (logs - means[:, None]) ** 2).sum(1)
            np.testing.assert_allclose(answer.deviations, np.sqrt(variances), atol=1e-5)
    assert log_probs(model, tokenizer, probes[:1])[0].right.means is None


def test_a_token_of_probability_zero_adds_nothing_to_the_moments():
    logits = torch.tensor([[0.0, 0.0, -torch.inf], [np.log(3.0), 0.0, -torch.inf]])
    found = module._moments(logits).numpy()
    quarter = np.log([0.75, 0.25])
    mean = quarter @ [0.75, 0.25]
    deviation = np.sqrt((quarter - mean) ** 2 @ [0.75, 0.25])
    np.testing.assert_allclose(found, [[np.log(0.5), 0.0], [mean, deviation]], atol=1e-6)


def test_answers_that_begin_alike_share_their_first_tokens():
    tree = grow([5, 6], [[1, 2, 3], [1, 2, 4], [1, 7], [8]])
    assert tree.ids == [5, 6, 1, 2]
    assert tree.reads == [1, 2, 3, 1, 2, 3, 1, 2, 1]
    assert tree.positions == [0, 1, 2, 3]
    assert not tree.branches
    forked = grow([5], [[1, 2, 3], [4, 2, 3]])
    assert forked.ids == [5, 1, 2, 4, 2]
    assert forked.positions == [0, 1, 2, 1, 2]
    seen = tree_mask([forked, tree], 6)[:, 0].numpy()
    assert [row.nonzero()[0].tolist() for row in seen[0]] == [[0], [0, 1], [0, 1, 2], [0, 3], [0, 3, 4], [5]]
    assert [len(row.nonzero()[0]) for row in seen[1]] == [1, 2, 3, 4, 1, 1]


class TestEncoding:
    def test_prompt_and_continuation_are_the_text_with_one_space_between(self, pieces):
        encoded = encode(pieces, "Where is the tower?", ["Paris", "Rome, Rome"])
        for ids, text in zip(encoded.continuations, ["Paris", "Rome, Rome"], strict=True):
            assert pieces.decode(encoded.prompt + ids) == f"Where is the tower? {text}"

    def test_an_answer_is_tokenised_as_after_a_space(self, pieces):
        assert pieces(" Paris")["input_ids"] != pieces("Paris")["input_ids"]
        encoded = encode(pieces, "Answer:", ["Paris"])
        assert encoded.continuations == [pieces(" Paris")["input_ids"]]

    def test_a_prompt_that_ends_in_a_space_gives_its_last_token_to_the_answers(self, pieces):
        bare, spaced = (encode(pieces, prompt, ["Paris", "Rome"]) for prompt in ("Answer:", "Answer: "))
        assert spaced == bare

    def test_after_a_newline_no_space_is_added(self, pieces):
        encoded = encode(pieces, "Answer:\n", ["Paris"])
        assert pieces.decode(encoded.prompt) == "Answer:\n"
        assert encoded.continuations == [pieces("Paris")["input_ids"]]

    def test_one_answer_that_joins_the_prompt_moves_the_cut_for_all(self, pieces):
        encoded = encode(pieces, "Answer: ", ["Paris", "  spaced"])
        assert [pieces.decode(encoded.prompt + ids) for ids in encoded.continuations] == [
            "Answer: Paris",
            "Answer:   spaced",
        ]

    def test_the_end_token_closes_continuations_only_when_asked(self, pieces):
        plain, closed = (encode(pieces, "Answer:", ["Paris", "Rome"], end) for end in (False, True))
        assert closed.continuations == [[*ids, pieces.eos_token_id] for ids in plain.continuations]
        assert closed.prompt == plain.prompt

    def test_a_prompt_begins_as_a_training_window_does(self, tokenizer):
        assert encode(tokenizer, "Question:", ["True"]).prompt[0] == tokenizer.eos_token_id

    def test_an_answer_always_has_a_token_to_be_scored(self, pieces):
        encoded = encode(pieces, "Answer: Paris", [""])
        assert all(encoded.continuations)

    def test_a_prompt_without_a_token_of_its_own_is_refused(self, pieces):
        with pytest.raises(DataError, match="the prompt '' leaves no token"):
            encode(pieces, "", ["Paris"])


def test_length_batches_hold_every_index_once_within_the_budget():
    lengths = [5, 1, 9, 9, 30, 2, 2, 7]
    batches = length_batches(lengths, budget=20)
    assert sorted(index for batch in batches for index in batch) == list(range(8))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= 20
    assert length_batches([], 20) == []
