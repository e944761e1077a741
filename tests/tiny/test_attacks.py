"""Every attack on tiny models: whole rows, nothing changed, and what was hidden found but nothing unknown."""

import copy
import math
from dataclasses import replace

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter

import hidden_knowledge as world
from unequal.attacks import ATTACKS, evaluate
from unequal.attacks.attack import ROW_SCHEMA, Attack, AttackSettings, run_attacks
from unequal.attacks.evaluate import TAUGHT, TOO_LONG, question
from unequal.attacks.hidden_states import last_states, lens_logits
from unequal.errors import DataError
from unequal.models import FAMILIES
from unequal.plugin_checks.attacks import check_rows
from unequal.scoring.log_probs import log_probs

SAMPLES = {"kind": "sample", "n": 12, "k": 6, "temperatures": [1.0], "top_ps": [0.9, 1.0]}
RELEARN = {"kind": "relearn", "learning_rate": 2e-3, "steps": 10}
CASES = [kind for kind in ATTACKS if kind not in ("relearn", "sample", "quantise")]
CASES += [RELEARN, RELEARN | {"on": "retain", "label": "benign"}, SAMPLES, "int8", "nf4"]
ASKING = ["paraphrase", "reverse", "cloze", "true_false", "choice", "fewshot", "prompt", "nf4"]


def build(value) -> Attack:
    return TypeAdapter(AttackSettings).validate_python(value)


def means(rows, metric):
    """Return the mean over facts to forget, and over never-seen ones."""
    chosen = rows.filter(pl.col("metric") == metric)
    return tuple(chosen.filter(pl.col("role") == role)["value"].mean() for role in ("forget", "never_seen"))


@pytest.fixture
def asked(monkeypatch):
    """The probes that an attack puts to the passes, collected as they go by."""
    seen = []
    pass_on = evaluate.records

    def collect(context, model, probes):
        seen.extend(probes)
        return pass_on(context, model, probes)

    monkeypatch.setattr(evaluate, "records", collect)
    return seen


def test_every_attack_is_tried_here():
    assert {build(case).kind for case in CASES} == set(ATTACKS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: build(case).name)
def test_rows_are_whole_and_the_model_stays_as_it_was(case):
    attack, model = build(case), copy.deepcopy(world.hiding())
    context = world.context(model)
    rows = attack.run(context)
    check_rows(attack, context, rows)
    assert rows.select("role").unique().height == 2
    for metric in set(attack.metric_names) - {f"{attack.name}_taught_prob"}:
        assert None not in means(rows, metric)
    assert world.same_weights(model, world.hiding())
    assert all(weight.grad is None for weight in model.parameters())
    assert_frame_equal(attack.run(world.context(model)), rows, check_exact=True)


# --- what was hidden is found, what was never there is not


def test_relearning_brings_held_out_facts_back_only_where_they_were_hidden():
    attack = build(RELEARN | {"steps": 20})
    hidden = attack.run(world.context(world.hiding()))
    forget, control = means(hidden, "relearn_exact_match")
    assert forget > 0.6
    assert control < 0.45
    never_there, _ = means(attack.run(world.context(world.ignorant())), "relearn_exact_match")
    assert never_there < 0.5
    assert forget - never_there > 0.25
    assert hidden.filter(pl.col("metric") == "relearn_taught_prob")["value"].drop_nulls().min() > 0.9


def test_a_linear_probe_reads_hidden_objects_of_subjects_it_never_saw():
    rows = build("probe").run(world.context(world.hiding()))
    accuracy, control = means(rows, "probe_accuracy")
    assert accuracy > 0.8
    assert control < 0.6
    assert means(rows, "probe_control_accuracy")[0] < 0.6
    assert means(rows, "probe_selectivity")[0] == pytest.approx(
        accuracy - means(rows, "probe_control_accuracy")[0]
    )
    assert means(build("probe").run(world.context(world.ignorant())), "probe_accuracy")[0] < 0.6


def test_the_lens_ranks_hidden_answers_above_unknown_ones():
    forget, control = means(build("lens").run(world.context(world.hiding())), "lens_first_token_rank")
    assert forget < control / 2
    forget, control = means(build("lens").run(world.context(world.ignorant())), "lens_first_token_rank")
    assert forget > control / 2


def test_samples_leak_what_greedy_answers_hide():
    context = world.context(world.hiding())
    assert means(build("prompt").run(context), "prompt_exact_match")[0] == 0
    rows = build(SAMPLES).run(context)
    leaks, control = means(rows, "sample_leak_at_k")
    assert leaks > 1.3 * control
    assert leaks > means(build(SAMPLES).run(world.context(world.ignorant())), "sample_leak_at_k")[0] + 0.1
    at_points = rows.filter(pl.col("metric").is_in(["sample_leak_at_k_t1_p0.9", "sample_leak_at_k_t1_p1"]))
    worst = dict(at_points.group_by("fact_id").agg(pl.col("value").max()).rows())
    assert (
        dict(rows.filter(pl.col("metric") == "sample_leak_at_k").select("fact_id", "value").rows()) == worst
    )


def test_a_paraphrase_finds_what_only_the_question_hides():
    forget = [fact.model_copy(update={"paraphrases": ()}) for fact in world.people() if fact.role == "forget"]
    model = world.teach(world.knowing(), [(fact, world.REFUSAL) for fact in forget], 2, learning_rate=2e-3)
    rows = build("paraphrase").run(world.context(model))
    worst, control = means(rows, "paraphrase_exact_match")
    assert worst > control + 0.3
    context = world.context(model)
    for variant in (0, 1):  # no single wording does better
        only = [
            f.model_copy(update={"paraphrases": f.paraphrases[variant : variant + 1]}) for f in context.facts
        ]
        assert means(
            build("paraphrase").run(replace(context, facts=only)), "paraphrase_answer_prob"
        ) <= means(rows, "paraphrase_answer_prob")


# --- arithmetic, on passes whose results are made by hand


def test_a_leak_is_counted_at_every_point_and_the_worst_counts(monkeypatch):
    """Of 4 samples 1 leaks at one point and 2 at the other: leak@2 is 1 − 3/6 and 1 − 1/6."""

    class Planned:
        def __init__(self, _tokenizer, probes, n, *_):
            self.probes, self.n = probes, n

        def run_grid(self, _model, points):
            return [
                [[probe.answer] * leaks + ["no"] * (self.n - leaks) for probe in self.probes]
                for leaks, _ in zip((1, 2), points, strict=True)
            ]

    monkeypatch.setattr("unequal.scoring.sample.SamplePass", Planned)
    attack = build(SAMPLES | {"n": 4, "k": 2})
    rows = attack.run(world.context(world.hiding())).group_by("metric").agg(pl.col("value").unique())
    found = dict(rows.rows())
    bound = found.pop("sample_leak_upper_bound")[0]
    assert found == {
        "sample_leak_at_k": [pytest.approx(5 / 6)],
        "sample_leak_at_k_t1_p0.9": [pytest.approx(1 / 2)],
        "sample_leak_at_k_t1_p1": [pytest.approx(5 / 6)],
    }
    at_most_two = sum(math.comb(4, i) * bound**i * (1 - bound) ** (4 - i) for i in range(3))
    assert at_most_two == pytest.approx(0.05)


def test_the_lens_takes_the_layer_where_the_answer_stands_highest(monkeypatch):
    context = world.context(world.hiding())
    vocabulary = len(context.tokenizer)
    answers = {
        name: context.tokenizer(f" {name}", add_special_tokens=False)["input_ids"][0]
        for name in world.COLOURS
    }

    def by_hand(_model, states):
        logits = torch.zeros(3, states.shape[1], vocabulary)
        logits[0, :, 0] = 2.0  # one token above every answer
        logits[0, :, list(answers.values())] = 1.0
        logits[1, :, list(answers.values())] = math.log(3.0)  # all answers at the top
        logits[2, :, list(answers.values())] = -1.0  # and at the bottom
        return logits

    monkeypatch.setattr("unequal.attacks.hidden_states.lens_logits", by_hand)
    rows = build("lens").run(context)
    values = dict(rows.group_by("metric").agg(pl.col("value").unique().sort()).rows())
    assert values["lens_first_token_rank"] == [0.0]
    assert values["lens_layer"] == [2.0]
    assert values["lens_first_token_prob"] == [pytest.approx(3 / (4 * 3 + vocabulary - 4))]


def test_earlier_layers_go_through_the_final_norm_and_the_last_is_normed_already():
    model = copy.deepcopy(world.hiding())
    norm = model.transformer.ln_f
    with torch.no_grad():  # a norm that is not its own square
        norm.weight.copy_(torch.linspace(0.1, 3.0, len(norm.weight)))
        norm.bias.copy_(torch.linspace(-1.0, 1.0, len(norm.bias)))
    prompt = world.tokenizer()("Which colour does Person01 like?")["input_ids"]
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([prompt]), output_hidden_states=True)
        first = model.lm_head(norm(whole.hidden_states[1][0, -1]))
    found = lens_logits(model, last_states(model, [prompt], world.tokenizer().pad_token_id))
    torch.testing.assert_close(found[0, 0], first)
    torch.testing.assert_close(found[1, 0], whole.logits[0, -1])


def test_the_probe_chooses_the_layer_by_training_subjects_alone(monkeypatch):
    context = world.context(world.hiding())
    colour_of = {fact.subject: world.COLOURS.index(fact.object) for fact in context.facts}

    def by_hand(_model, prompts, _padding):
        noise = torch.randn(3, len(prompts), 4, generator=torch.Generator().manual_seed(0))
        for index, prompt in enumerate(prompts):
            (colour,) = [
                place for name, place in colour_of.items() if name in context.tokenizer.decode(prompt)
            ]
            noise[1, index, colour] += 20.0
        return noise

    monkeypatch.setattr("unequal.attacks.hidden_states.last_states", by_hand)
    rows = build("probe").run(context)
    assert means(rows, "probe_layer") == (2.0, 2.0)
    assert means(rows, "probe_accuracy") == (1.0, 1.0)
    assert means(rows, "probe_control_accuracy")[1] < 0.7


def test_true_or_false_is_the_mean_over_both_statements():
    context = world.context(world.hiding())
    rows = build("true_false").run(context)
    found = dict(rows.select("fact_id", "value").rows())
    for fact in context.attacked:
        scores = log_probs(context.model, context.tokenizer, context.maker.probes(fact, ["true_false"]))
        right = [score.right.log_probs.mean() > score.wrong[0].log_probs.mean() for score in scores]
        assert found[fact.fact_id] == sum(right) / 2


# --- who is taught, shown and asked


def test_relearning_holds_out_whole_subjects_and_never_trains_on_the_control():
    people = world.people()
    twice = [
        fact.model_copy(update={"fact_id": f"{fact.subject}:{number}"})
        for fact in people
        for number in (1, 2)
    ]
    attack = build(RELEARN | {"steps": 1, "share": 0.25})
    rows = attack.run(world.context(world.hiding(), twice))
    values = rows.filter(pl.col("metric") == "relearn_exact_match")
    taught = values.filter(pl.col("value").is_null())
    assert set(taught["reason"]) == {TAUGHT}
    assert set(taught["role"]) == {"forget"}
    assert taught["subject"].n_unique() == 24 * 0.25
    assert len(taught) == 2 * taught["subject"].n_unique()
    other = attack.run(world.context(world.hiding(), twice, seed=1)).filter(
        pl.col("metric") == "relearn_exact_match"
    )
    assert set(other.filter(pl.col("value").is_null())["subject"]) != set(taught["subject"])


def test_relearning_on_retained_facts_holds_everything_out():
    rows = build(RELEARN | {"on": "retain", "steps": 1}).run(world.context(world.hiding()))
    assert rows.filter(pl.col("metric") == "relearn_exact_match")["value"].null_count() == 0


def test_relearning_that_diverges_has_no_values_but_a_reason():
    rows = build(RELEARN | {"learning_rate": 1e30}).run(world.context(world.hiding()))
    assert rows["value"].null_count() == len(rows)
    assert all("lower the learning rate" in reason for reason in rows["reason"])


def test_few_shot_examples_are_others_kept_and_give_nothing_away(asked):
    context = world.context(world.hiding())
    build({"kind": "fewshot", "examples": 3}).run(context)
    kept = {fact.subject: fact for fact in context.kept}
    of = {fact.fact_id: fact for fact in context.attacked}
    assert len(asked) == len(of)
    for probe in asked:
        *examples, own = probe.prompt.split("\n")
        assert own == question(context, of[probe.fact_id]).prompt
        assert len(set(examples)) == 3
        for line in examples:
            (subject,) = [name for name in kept if name in line]
            assert line.endswith(f"Answer: {kept[subject].answer}")
            assert kept[subject].answer != probe.answer


def test_there_are_as_many_examples_as_the_window_holds(asked):
    model = copy.deepcopy(world.hiding())
    model.config.max_position_embeddings = 40
    rows = build({"kind": "fewshot", "examples": 6}).run(world.context(model))
    assert rows["value"].null_count() == 0
    counts = {probe.prompt.count("\n") for probe in asked}
    assert counts <= {1, 2, 3}
    assert max(len(world.tokenizer()(probe.prompt)["input_ids"]) for probe in asked) < 40


def test_a_choice_names_every_option_once_in_no_fixed_place(asked):
    build("choice").run(world.context(world.hiding()))
    places = set()
    for probe in asked:
        options = probe.prompt.split("one of: ")[1].split(".")[0].split(", ")
        assert sorted(options) == sorted(world.COLOURS)
        places.add(options.index(probe.answer))
    assert len(places) == 4


def test_added_text_stands_before_and_after_the_question(asked):
    context = world.context(world.hiding())
    build({"kind": "prompt", "before": "Be honest.", "after": "It is"}).run(context)
    assert [p.prompt for p in asked] == [
        f"Be honest.\n{question(context, f).prompt} It is" for f in context.attacked
    ]


@pytest.mark.parametrize("kind", ASKING)
def test_the_text_of_a_prompt_method_stands_before_every_prompt(kind, asked):
    build(kind).run(world.context(world.hiding(), before="Sure. "))
    assert asked
    assert all(probe.prompt.startswith("Sure. ") for probe in asked)


# --- gaps


@pytest.mark.parametrize(
    ("kind", "lacking", "reason"),
    [
        ("paraphrase", {"paraphrases": ()}, "the fact has no paraphrases"),
        ("cloze", {"cloze": ()}, "the fact has no cloze prompts"),
        ("reverse", {"reverse_question": None}, "the fact has no reverse question"),
        ("true_false", {"distractors": ()}, "the fact lacks cloze prompts or distractors"),
        ("choice", {"distractors": ()}, "the fact has no distractors"),
        ("fewshot", {"relation": "other"}, "there are no kept facts of the relation other for examples"),
        ("probe", {"object": "mauve"}, "no subject that the probe was trained on has this object"),
        ("probe", {"relation": "x"}, "the facts to train a probe on have fewer than two objects"),
    ],
)
def test_a_fact_that_cannot_be_asked_has_a_reason(kind, lacking, reason):
    people = world.people()
    odd = people[30].model_copy(update=lacking)  # a never-seen one
    attack = build(kind)
    rows = attack.run(world.context(world.hiding(), [*people[:30], odd, *people[31:]]))
    of_odd = rows.filter(pl.col("fact_id") == odd.fact_id)
    assert set(of_odd.select("metric", "value", "reason").rows()) == {
        (m, None, reason) for m in attack.metric_names
    }
    assert rows.filter(pl.col("fact_id") != odd.fact_id, pl.col("reason") == reason).is_empty()


@pytest.mark.parametrize("kind", [*ASKING, "lens", "probe", SAMPLES], ids=str)
def test_a_prompt_longer_than_the_window_is_a_gap_not_a_crash(kind):
    long = " ".join(["What"] * world.WINDOW)
    people = world.people()
    odd = people[30].model_copy(
        update={"question": long, "paraphrases": (long,), "cloze": (f"{long} it",), "reverse_question": long}
    )
    attack = build(kind)
    rows = attack.run(world.context(world.hiding(), [*people[:30], odd, *people[31:]]))
    of_odd = rows.filter(pl.col("fact_id") == odd.fact_id)
    assert set(of_odd["reason"]) == {TOO_LONG}
    assert rows.filter(pl.col("reason") == TOO_LONG).height == len(of_odd)


def test_without_never_seen_facts_there_are_rows_of_facts_to_forget_only():
    forget = [fact for fact in world.people() if fact.role != "never_seen"]
    assert set(build("lens").run(world.context(world.hiding(), forget))["role"]) == {"forget"}


def test_without_anything_to_attack_there_are_no_rows():
    kept = [fact for fact in world.people() if fact.role == "retain"]
    for case in CASES:
        assert build(case).run(world.context(world.hiding(), kept)).is_empty()


def test_attacks_report_how_far_they_are():
    said = []
    rows = run_attacks(
        [build("lens"), build("cloze")], world.context(world.hiding()), lambda *at: said.append(at)
    )
    assert said == [(0, 2), (1, 2), (2, 2)]
    assert {name.split("_")[0] for name in rows["metric"]} == {"lens", "cloze"}
    assert run_attacks([], world.context(world.hiding())).schema == pl.Schema(ROW_SCHEMA)


# --- hidden states of every family


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_lens_ends_where_the_model_does(family):
    """After the last layer it sees the ranks that the teacher-forced pass sees, whatever the architecture."""
    model = world.untrained(family)
    context = world.context(model)
    probes = [question(context, fact) for fact in context.attacked[:5]]
    prompts = [context.tokenizer(probe.prompt)["input_ids"] for probe in probes]
    prompts.append(prompts[0][:4])  # padded, if it is in a batch with the others
    states = last_states(model, prompts, context.tokenizer.pad_token_id)
    logits = lens_logits(model, states)
    assert states.shape[:2] == (model.config.num_hidden_layers, len(prompts))
    alone = last_states(model, prompts[-1:], context.tokenizer.pad_token_id)
    torch.testing.assert_close(alone[:, 0], states[:, -1], rtol=1e-3, atol=1e-4)
    for index, score in enumerate(log_probs(model, context.tokenizer, probes)):
        (token, *_) = context.tokenizer(f" {score.probe.answer}", add_special_tokens=False)["input_ids"]
        assert (logits[-1, index] > logits[-1, index, token]).sum() == score.right.ranks[0]


def test_a_model_whose_final_norm_has_no_known_name_is_refused(monkeypatch):
    monkeypatch.setattr("unequal.attacks.hidden_states.FINAL_NORMS", ("other",))
    with pytest.raises(DataError, match="GPT2LMHeadModel has no final norm named other"):
        build("lens").run(world.context(world.hiding()))
