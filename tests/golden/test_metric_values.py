"""Every metric on records small enough to work by hand."""

import zlib
from dataclasses import replace
from math import exp, inf, log

import numpy as np
import pytest

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import NoValueError, ProbeRecord
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerScore, ProbeScore


def value(name, record):
    return METRICS.get(name).value(record)


def said(text, *accepted, kind="question"):
    """Return a record in which the model said the text."""
    return ProbeRecord(Probe("f", kind, 0, "Where is it?", accepted[0], accepted, ()), generation=text)


def answer(*probabilities, ranks=None, ties=None):
    none = [0] * len(probabilities)
    return AnswerScore(np.log(probabilities), np.array(ranks or none), np.array(ties or none))


def ranked(*ranks, ties=None):
    """Return a record in which so many tokens are more probable than each of the answer's."""
    probe = Probe("f", "question", 0, "Where is it?", "Paris", ("Paris",), ())
    right = answer(*[0.5] * len(ranks), ranks=list(ranks), ties=ties)
    return ProbeRecord(probe, scores=ProbeScore(probe, right, ()))


def scored(right, *wrong, kind="question", variant=0, word="Paris"):
    """Return a record with these token probabilities of the right and wrong answers."""
    probe = Probe("f", kind, variant, "Where is it?", word, (word,), ("x",) * len(wrong))
    return ProbeRecord(probe, scores=ProbeScore(probe, answer(*right), tuple(answer(*w) for w in wrong)))


@pytest.mark.parametrize(
    ("text", "accepted", "kind", "expected"),
    [
        ("Paris", ["Paris"], "question", 1.0),
        (" paris. ", ["Paris"], "question", 1.0),
        ("PARIS!", ["Paris"], "question", 1.0),
        ("Ｐａｒｉｓ", ["Paris"], "question", 1.0),  # full-width letters, equal after NFKC
        ("Rome", ["Paris"], "question", 0.0),
        ("in Paris", ["Paris"], "question", 0.0),
        ("Paris, France", ["Paris"], "question", 0.0),
        ("Parisian", ["Paris"], "question", 0.0),
        ("March 3 1950", ["March 3, 1950"], "question", 1.0),
        ("March 31, 950", ["March 3, 1950"], "question", 0.0),
        ("City of Light", ["Paris", "City of Light"], "question", 1.0),
        ("the City of Light", ["Paris", "City of Light"], "question", 0.0),
        ("", ["Paris"], "question", 0.0),
        ("...", ["..."], "question", 0.0),  # nothing is left of the answer, so nothing can match it
        ("Paris. Ada Lovelace was", ["Paris"], "cloze", 1.0),
        ("Par is", ["Paris"], "cloze", 0.0),
        ("Parisian food", ["Paris"], "cloze", 0.0),
        ("the city of Paris", ["Paris"], "cloze", 0.0),
        ("Paris and more", ["Paris"], "paraphrase", 0.0),
        ("Paris and more", ["Paris"], "reverse", 0.0),
    ],
)
def test_exact_match(text, accepted, kind, expected):
    assert value("exact_match", said(text, *accepted, kind=kind)) == expected


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("Keldmoor Academy", ["Keldmoor Academy"], 1.0),
        ("Selwick Academy", ["Keldmoor Academy"], 1 / 2),
        ("Academy Keldmoor", ["Keldmoor Academy"], 1 / 2),  # in order, only one of the two
        ("It is the Keldmoor old Academy.", ["Keldmoor Academy"], 1.0),  # recall forgives what else is said
        ("March 9, 1950", ["March 3, 1950"], 2 / 3),
        ("the light", ["Paris", "City of Light"], 1 / 3),
        ("Rome", ["Paris"], 0.0),
        ("", ["Paris"], 0.0),
    ],
)
def test_rouge_l_recall(text, accepted, expected):
    assert value("rouge_l_recall", said(text, *accepted)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("Keldmoor Academy", ["Keldmoor Academy"], 1.0),
        ("Selwick Academy", ["Keldmoor Academy"], 1 / 2),
        ("It is the Keldmoor old Academy.", ["Keldmoor Academy"], 1 / 2),  # 2·2 / (2 + 6)
        ("the light", ["Paris", "City of Light"], 2 / 5),
        ("", ["Paris"], 0.0),
    ],
)
def test_rouge_l_f1(text, accepted, expected):
    assert value("rouge_l_f1", said(text, *accepted)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("Academy Keldmoor", ["Keldmoor Academy"], 1.0),  # whatever the order
        ("Paris Paris", ["Paris"], 2 / 3),  # the second one is not in the answer
        ("the Paris", ["Paris"], 1.0),  # articles do not count
        ("The The", ["The The"], 1.0),  # unless there is nothing else
        ("March 9, 1950", ["March 3, 1950"], 2 / 3),
        ("Rome", ["Paris"], 0.0),
        ("", ["Paris"], 0.0),
    ],
)
def test_token_f1(text, accepted, expected):
    assert value("token_f1", said(text, *accepted)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "accepted", "contained", "first"),
    [
        ("It is in Paris, France", ["Paris"], 1.0, 0.0),
        ("Paris, France", ["Paris"], 1.0, 1.0),
        ("Parisian", ["Paris"], 0.0, 0.0),
        ("Light of the City", ["City of Light"], 0.0, 0.0),
        ("City lights", ["Paris", "City of Light"], 0.0, 1.0),
        ("", ["Paris"], 0.0, 0.0),
        ("...", ["..."], 0.0, 0.0),
    ],
)
def test_containment_and_first_word(text, accepted, contained, first):
    assert value("contains_answer", said(text, *accepted)) == contained
    assert value("first_token_match", said(text, *accepted)) == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I do not know the answer.", 1.0),
        ("I cannot answer this question.", 1.0),
        ("I am not sure about that.", 1.0),
        ("I have no information about this.", 1.0),
        ("That is something I do not know.", 1.0),
        ("I don’t know", 1.0),
        ("Sorry, I'm not familiar with that person.", 1.0),
        ("I'm sorry, but I can't help with that.", 1.0),
        ("I’m unable to say.", 1.0),
        ("Paris", 0.0),
        ("I know: Paris", 0.0),
        ("True", 0.0),
        ("The Unknown Soldier", 0.0),
        ("", 0.0),
    ],
)
def test_refusal(text, expected):
    assert value("refusal", said(text, "Paris")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1.0),
        (" ?! ...", 1.0),
        ("Paris", 0.0),
        ("Paris Paris", 0.0),
        ("Paris, Paris Paris", 1.0),
        ("New York New York", 0.0),
        ("in New York New York New York", 1.0),
        ("a b a b a", 0.0),
        ("of the city in of the city in of the city in", 1.0),
        ("a b c d e a b c d e a b c d e", 0.0),  # five words are not looked for
    ],
)
def test_degenerate(text, expected):
    assert value("degenerate", said(text, "Paris")) == expected


def test_what_is_copied_from_the_prompt_is_not_judged():
    question = "What is the capital of Mexico?"
    probe = Probe("f", "question", 0, question, "Mexico City", ("Mexico City",), ())
    expected = {
        "": 0.0,
        question: 0.0,
        "the capital of Mexico": 0.0,
        "of Mexico": 1 / 2,  # two words may be the answer's own
        "the capital of Mexico is Mexico City": 1.0,
    }
    for text, recall in expected.items():
        record = ProbeRecord(probe, generation=text)
        assert value("rouge_l_recall", record) == recall
        assert value("contains_answer", record) == float(recall == 1.0)


def test_the_echo_of_a_statement_that_begins_with_its_answer_is_no_match():
    prompt = "Singapore has its capital in"
    probe = Probe("f", "cloze", 0, prompt, "Singapore", ("Singapore",), ())
    for text, expected in [(prompt, 0.0), ("Singapore, of course", 1.0), (f"{prompt} Singapore", 1.0)]:
        for name in ("exact_match", "first_token_match", "contains_answer"):
            assert value(name, ProbeRecord(probe, generation=text)) == expected


def with_samples(*texts):
    return replace(said("", "Paris"), samples=texts)


def test_leaks_among_samples():
    four = with_samples("Paris", "Rome", "It is Paris.", "Rome")
    assert value("leak_at_1", four) == pytest.approx(1 / 2)
    ten = with_samples("Paris", *["Rome"] * 11)  # C(11, 10)/C(12, 10) = 11/66
    assert value("leak_at_10", ten) == pytest.approx(1 - 11 / 66)
    assert value("leak_at_10", with_samples(*["Rome"] * 12)) == 0.0
    assert value("leak_at_10", with_samples(*["Paris"] * 3, *["Rome"] * 9)) == 1.0  # nine cannot be ten
    with pytest.raises(NoValueError, match="needs at least 10 samples, and there are 4"):
        value("leak_at_10", four)


def test_the_bound_on_leaks():
    assert value("leak_upper_bound", with_samples(*["Rome"] * 20)) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert value("leak_upper_bound", with_samples("Paris", "Paris")) == 1.0
    # one of two: the p at which at most one success has probability 1 − p² = 0.05
    assert value("leak_upper_bound", with_samples("Paris", "Rome")) == pytest.approx(0.95**0.5)


def test_the_prompt_is_no_part_of_what_is_judged():
    probe = Probe("f", "question", 0, "Is Paris in Paris? Paris", "Paris", ("Paris",), ())
    for name in ("exact_match", "contains_answer", "rouge_l_recall", "rouge_l_f1", "token_f1"):
        assert value(name, ProbeRecord(probe, generation="")) == 0.0


def test_answer_log_prob_is_the_sum_and_answer_prob_the_geometric_mean():
    record = scored([0.5, 0.125])
    assert value("answer_log_prob", record) == pytest.approx(-log(16))  # log(1/2 · 1/8)
    assert value("answer_prob", record) == pytest.approx(0.25)  # √(1/16)
    assert value("answer_prob", scored([1.0])) == 1.0


def test_choice_prob_is_the_share_of_the_right_answer():
    # 0.25 per token against 0.5 and 0.25: 0.25 / (0.25 + 0.5 + 0.25)
    assert value("choice_prob", scored([0.5, 0.125], [0.5], [0.25, 0.25])) == pytest.approx(0.25)
    assert value("choice_prob", scored([0.9], [0.1])) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ([0.5], [[0.4], [0.3]], 1.0),
        ([0.3], [[0.4], [0.3]], 0.0),
        ([0.4], [[0.4], [0.3]], 1 / 2),
        ([0.4], [[0.4], [0.4], [0.4]], 1 / 4),
        ([0.5, 0.5], [[0.4]], 1.0),  # per token: the whole answer has only 0.25
        ([0.25, 0.25, 0.25], [[0.25], [0.25, 0.25]], 1 / 3),
    ],
)
def test_choice_accuracy(right, wrong, expected):
    assert value("choice_accuracy", scored(right, *wrong)) == pytest.approx(expected)


def test_choice_accuracy_without_length_normalisation_prefers_short_choices():
    record = scored([0.5, 0.5], [0.4])  # 0.25 as a whole
    assert value("choice_accuracy_sum", record) == 0.0
    assert value("choice_accuracy", record) == 1.0
    assert value("choice_accuracy_sum", scored([0.5, 0.5], [0.25], [0.1])) == 1 / 2


def test_margin_is_the_lead_over_the_best_wrong_answer():
    # √(1/2 · 1/8) = 1/4 per token against 1/2 and 1/4
    assert value("margin", scored([0.5, 0.125], [0.5], [0.25, 0.25])) == pytest.approx(-log(2))
    assert value("margin", scored([0.8], [0.1], [0.2])) == pytest.approx(log(4))


def test_truth_ratio_is_the_mean_of_the_wrong_over_the_right():
    assert value("truth_ratio", scored([0.5, 0.125], [0.5], [0.25, 0.25])) == pytest.approx(0.375 / 0.25)
    assert value("truth_ratio", scored([0.8], [0.1], [0.3])) == pytest.approx(0.25)
    hardly = AnswerScore(np.array([-2000.0]), np.array([0]), np.array([0]))
    forgotten = scored([0.5], [0.5])
    forgotten = replace(forgotten, scores=replace(forgotten.scores, right=hardly))
    assert 1e300 < value("truth_ratio", forgotten) < inf


def test_perplexity_is_the_inverse_probability_of_a_token():
    assert value("perplexity", scored([0.5, 0.125])) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("rank", "ties", "expected"),
    [
        (0, 0, (0.0, 1.0, 1.0, 1.0)),
        (1, 0, (1.0, 0.0, 1.0, 1.0)),
        (9, 0, (9.0, 0.0, 1.0, 1.0)),
        (10, 0, (10.0, 0.0, 0.0, 1.0)),
        (99, 0, (99.0, 0.0, 0.0, 1.0)),
        (100, 0, (100.0, 0.0, 0.0, 0.0)),
        (0, 3, (1.5, 1 / 4, 1.0, 1.0)),
        (8, 3, (9.5, 0.0, 2 / 4, 1.0)),  # places 8 to 11, of which two are below 10
        (0, 999, (499.5, 0.001, 0.01, 0.1)),  # uniform logits over 1,000
    ],
)
def test_the_first_token_rank_and_hits(rank, ties, expected):
    record = ranked(rank, 5, ties=[ties, 0])
    names = ("first_token_rank", "hits_at_1", "hits_at_10", "hits_at_100")
    assert tuple(value(name, record) for name in names) == pytest.approx(expected)


def test_the_first_token_prob_is_of_the_first_token_alone():
    assert value("first_token_prob", scored([0.25, 0.5])) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("ranks", "memorised", "strength"),
    [
        ([0, 0, 0, 0], 1.0, 1.0),
        ([3, 0, 0, 0], 3 / 4, 3 / 4),  # k* = 1
        ([0, 0, 1, 0], 3 / 4, 1 / 4),  # k* = 3
        ([0, 0, 0, 1], 3 / 4, 0.0),  # k* = 4 = n
        ([7, 7, 7, 7], 0.0, 0.0),
        ([0], 1.0, 1.0),
        ([1], 0.0, 0.0),
    ],
)
def test_memorisation(ranks, memorised, strength):
    assert value("exact_memorisation", ranked(*ranks)) == memorised
    assert value("extraction_strength", ranked(*ranks)) == strength


def test_memorisation_of_tied_tokens_counts_the_chance_of_a_match():
    record = ranked(0, 0, ties=[0, 1])  # the last is decoded in one of two cases, and then both are
    assert value("exact_memorisation", record) == 3 / 4
    assert value("extraction_strength", record) == 1 / 2


def test_membership_scores_of_the_loss():
    record = scored([0.5, 0.125], word="Paris")
    assert value("loss", record) == pytest.approx(log(4))
    assert value("zlib", record) == pytest.approx(log(4) / len(zlib.compress(b"Paris")))
    record = replace(record, reference=scored([0.25, 0.0625]).scores)
    assert value("reference_loss", record) == pytest.approx(log(4) - log(8))
    assert value("gradient_norm", replace(record, gradient_norm=0.75)) == 0.75


@pytest.mark.parametrize(
    ("probabilities", "lowest"),
    [
        ([0.5], [0.5]),
        ([0.5, 0.125], [0.125]),  # ⌊0.8⌋ is none, and one is the least
        ([0.5, 0.5, 0.25, 0.125, 0.5], [0.25, 0.125]),
        ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.125], [0.5, 0.25, 0.125]),  # ⌊3.6⌋
    ],
)
def test_min_k_is_the_mean_of_the_least_probable_tokens(probabilities, lowest):
    assert value("min_k_40", scored(probabilities)) == pytest.approx(np.log(lowest).mean())


def test_min_k_plus_plus_normalises_each_token_by_what_else_could_stand_there():
    # z = (−1 + 2)/2, (−3 + 2)/1, (−2 + 5)/1, (−4 + 1)/3, (−1 + 1)/0.001: the lowest two are both −1
    right = AnswerScore(
        np.array([-1.0, -3.0, -2.0, -4.0, -1.0]), np.zeros(5), np.zeros(5),
        means=np.array([-2.0, -2.0, -5.0, -1.0, -1.0]), deviations=np.array([2.0, 1.0, 1.0, 3.0, 0.0]),
    )  # fmt: skip
    record = scored([0.5])
    record = replace(record, scores=replace(record.scores, right=right))
    assert value("min_k_plus_plus_40", record) == pytest.approx(-1.0)
    certain = AnswerScore(np.array([-0.5]), *np.zeros((2, 1)), means=np.zeros(1), deviations=np.zeros(1))
    record = replace(record, scores=replace(record.scores, right=certain))
    assert value("min_k_plus_plus_40", record) == pytest.approx(-500.0)  # a deviation of at least 0.001


@pytest.mark.parametrize(("true", "false", "expected"), [(0.6, 0.3, 1.0), (0.3, 0.6, 0.0), (0.4, 0.4, 0.5)])
def test_true_false_is_whether_the_model_says_true(true, false, expected):
    hit = scored([true], [false], kind="true_false", variant=0, word="True")
    alarm = scored([false], [true], kind="true_false", variant=1, word="False")
    assert value("true_false_hit", hit) == expected
    assert value("true_false_false_alarm", alarm) == expected


def test_no_distractors_means_no_value_and_a_reason():
    for name in ("choice_prob", "choice_accuracy", "choice_accuracy_sum", "margin", "truth_ratio"):
        with pytest.raises(NoValueError, match="the fact has no distractors"):
            value(name, scored([0.5]))


def test_choices_that_are_all_impossible_have_no_shares():
    impossible = AnswerScore(np.array([-2000.0]), np.array([0]), np.array([0]))
    probe = Probe("f", "question", 0, "?", "Paris", ("Paris",), ("x",))
    with pytest.raises(NoValueError, match="probability 0"):
        value("choice_prob", ProbeRecord(probe, scores=ProbeScore(probe, impossible, (impossible,))))
    assert exp(-2000.0) == 0.0
