"""Unlearning runs per minute of a study against a conventional loop that makes the same runs in turn.

Twelve runs of one pre-trained model (three methods, four seeds, 20 steps of 50 facts to forget and as many
to retain), each judged once, at its end, on the same probes. Ours are the steps of a study in worker
processes, each with one thread, and with the baseline that a study judges the model at before it is
changed. The rival is one process with PyTorch's own number of threads. For each run it loads the model and,
for NPO, a frozen copy of it; encodes the facts; trains with the Trainer of benchmarks/unlearn_rivals.py; and
judges like open-unlearning (github.com/locuslab/open-unlearning, src/evals/metrics): one pass over the
answers for each metric of probabilities, logits at all positions, batches of 64 in the order of the file,
and greedy texts with prompts padded on the left. A second rival, ``lean``, asks once for the right answers
and once for the wrong ones, for all metrics together, and trains without what is wasted there. All compute
the same metrics: answer_prob, choice_accuracy, truth_ratio, exact_match and rouge_l_recall, and all know
the tokens after which a text may end.

Every turn of every side is a process of its own, timed from its start to its end, imports included; sides
take turns. That both did the same work is seen in the scores of every run, fact, probe and metric: they
differ by rounding alone, which may tip a greedy text or a choice between two answers that are about equally
probable.

    python benchmarks/study.py --out benchmarks/results/study.json
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe, ProbeMaker
from unequal.facts.table import read_facts
from unequal.manifest import manifest
from unequal.models.load import load_tokenizer
from unequal.scoring.encoding import encode, open_prompt
from unequal.scoring.ending import Stopper
from unequal.study.expand import plan_steps
from unequal.study.launch.launcher import ExecutorSettings, Silence
from unequal.study.launch.run import run_steps
from unequal.study.settings import StudySettings
from unequal.study.sources import study_settings
from unequal.study.step import Step
from unequal.study.steps.unlearn import UnlearnStep
from unequal.unlearning.examples import Example, FactEncoder
from unequal.unlearning.sampler import BatchOrder
from unequal.unlearning.targets import Target, select_target
from unlearn_rivals import Batch, NPOTrainer, collate, lean_nll, open_nll

SIDES = ("ours", "ours-1-worker", "trainer", "lean")
METHODS = ({"kind": "ga"}, {"kind": "npo"}, {"kind": "simnpo"})
TEXT_METRICS = ("exact_match", "rouge_l_recall")
PROBABILITY_METRICS = ("answer_prob", "choice_accuracy", "truth_ratio")
LEARNING_RATE = 3e-4
JUDGED_AT_ONCE = 64
TARGET = 2.5  # runs per minute, ours with two workers over the rival
TOLERANCE = 1e-3  # relative, on values that are not 0 or 1 for a whole text or choice
KEYS = ("run_id", "fact_id", "role", "probe", "metric")


def compared_settings(seeds: int, steps: int) -> StudySettings:
    """Return the world, corpus and first model of examples/quick.toml with the runs of this comparison."""
    example = Path(__file__).parents[1] / "examples" / "quick.toml"
    values = tomllib.loads(example.read_text(encoding="utf-8"))
    changed = {
        "name": "throughput",
        "seeds": list(range(seeds)),
        "models": values["models"][:1],
        "methods": [{**method, "learning_rate": LEARNING_RATE} for method in METHODS],
        "targets": [{"relation": "birth_city"}],
        "unlearn": {"steps": steps, "batch_size": 50, "evaluate_at": [steps]},
        "evaluate": {**values["evaluate"], "metrics": [*PROBABILITY_METRICS, *TEXT_METRICS]},
    }
    return study_settings(values | changed, str(example))


def runs_of(steps: Sequence[Step]) -> list[UnlearnStep]:
    """Return the unlearning runs among the steps."""
    return [step for step in steps if isinstance(step, UnlearnStep)]


# --- ours


def run_ours(folder: Path, steps: Sequence[Step], workers: int) -> pl.DataFrame:
    """Run what is not done and return the scores at the end of every run."""
    to_do = [step for step in steps if not step.is_done(folder)]
    for _ in run_steps(folder, to_do, ExecutorSettings(workers), Silence()):
        pass
    scores = pl.concat(pl.read_parquet(folder / step.folder / "scores.parquet") for step in runs_of(steps))
    last = pl.col("step") == runs_of(steps)[0].unlearn.steps
    return scores.filter(last).select(*KEYS, "value")


# --- the rival: training


class Steps(torch.utils.data.Dataset[dict[str, Example]]):
    """Rows to forget and, if the method retains, rows to retain, in the order in which our loop sees them."""

    def __init__(self, run: UnlearnStep, target: Target, tokenizer: PreTrainedTokenizerBase) -> None:
        encoder, settings = FactEncoder(tokenizer, run.baseline.base.prompts), run.unlearn
        facts = {"forget": target.forget}
        if run.method.retain_weight:
            facts["retain"] = target.retain_set
        self._items: list[dict[str, Example]] = []
        rows = {name: encoder.own_answers(group, end=name == "retain") for name, group in facts.items()}
        orders = {
            name: BatchOrder(len(group), settings.batch_size, run.seed, name) for name, group in rows.items()
        }
        for step in range(settings.steps):
            drawn = {name: [rows[name][index] for index in order.at(step)] for name, order in orders.items()}
            self._items += [dict(zip(drawn, item, strict=True)) for item in zip(*drawn.values(), strict=True)]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Example]:
        return self._items[index]


def collator(padding: int) -> Callable[[Sequence[dict[str, Example]]], Batch]:
    """Return that of benchmarks/unlearn_rivals.py, for methods without a retain term too."""
    both = collate(padding)

    def padded(items: Sequence[dict[str, Example]]) -> Batch:
        names = list(items[0])
        batch = both([{**item, "retain": item.get("retain", item["forget"])} for item in items])
        return {name: batch[name] for name in names}

    return padded


class MethodTrainer(NPOTrainer):
    """Gradient ascent, NPO and SimNPO around one Trainer; a frozen copy is made where a method needs it."""

    def __init__(self, *arguments: Any, run: UnlearnStep, **settings: Any) -> None:
        super().__init__(*arguments, beta=getattr(run.method, "beta", 1.0), **settings)
        self.method = run.method
        if "reference" not in run.method.needs:
            del self.reference

    def compute_loss(self, model: PreTrainedModel, inputs: Batch, *_args: Any, **_settings: Any) -> Tensor:
        """Return the loss of a step."""
        if self.method.kind == "npo":
            return super().compute_loss(model, inputs)
        score = lean_nll if self.lean else open_nll
        mean_nll = score(model, inputs["forget"]) / n_tokens(inputs["forget"])
        if self.method.kind == "ga":
            return -mean_nll.mean()
        per_fact = -2 / self.beta * torch.nn.functional.logsigmoid(self.beta * mean_nll)
        kept = lean_nll(model, inputs["retain"]) / n_tokens(inputs["retain"])
        return self.method.forget_weight * per_fact.mean() + self.method.retain_weight * kept.mean()


def n_tokens(inputs: dict[str, Tensor]) -> Tensor:
    """Return how many tokens of each row are scored, ``(batch,)``."""
    return (inputs["labels"] != -100).sum(-1)


def train(run: UnlearnStep, model: PreTrainedModel, data: Steps, padding: int, lean: bool) -> None:
    """Train in place."""
    optimiser = run.unlearn.optimiser(run.method.learning_rate)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=run.unlearn.batch_size,
            max_steps=run.unlearn.steps, learning_rate=optimiser.learning_rate,
            lr_scheduler_type="constant", warmup_steps=0, weight_decay=optimiser.weight_decay,
            adam_beta1=optimiser.beta1, adam_beta2=optimiser.beta2, max_grad_norm=optimiser.clip_norm,
            optim="adamw_torch_fused", use_cpu=True, report_to=[], save_strategy="no", logging_strategy="no",
            disable_tqdm=True, remove_unused_columns=False, train_sampling_strategy="sequential",
        )  # fmt: skip
        MethodTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            data_collator=collator(padding),
            lean=lean,
            run=run,
        ).train()
    model.eval()


# --- the rival: judging


class Answer(NamedTuple):
    """Token ids of a prompt with an answer, and how many of them are the prompt's."""

    ids: list[int]
    n_prompt: int


@torch.no_grad()
def mean_log_probs(model: PreTrainedModel, answers: Sequence[Answer], padding: int) -> list[float]:
    """Return the log-probability per token of each answer, from batches in order and logits everywhere."""
    found: list[float] = []
    for start in range(0, len(answers), JUDGED_AT_ONCE):
        batch = answers[start : start + JUDGED_AT_ONCE]
        ids = [torch.tensor(answer.ids) for answer in batch]
        labels = [torch.tensor([-100] * a.n_prompt + a.ids[a.n_prompt :]) for a in batch]
        targets = pad_sequence(labels, batch_first=True, padding_value=-100)[:, 1:]
        logits = model(
            input_ids=pad_sequence(ids, batch_first=True, padding_value=padding),
            attention_mask=pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        ).logits[:, :-1]
        losses = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
        counts = (targets != -100).sum(1)
        found += (-losses.view(targets.shape).sum(1) / counts).tolist()
    return found


@torch.no_grad()
def greedy_texts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probes: Sequence[Probe]
) -> list[str]:
    """Return what the model says to each prompt, from batches in order, padded on the left."""
    found: list[str] = []
    limits = [open_prompt(tokenizer, probe).limit for probe in probes]
    stopper = Stopper(tokenizer, probes[0].stops)
    tokenizer.padding_side = "left"
    for start in range(0, len(probes), JUDGED_AT_ONCE):
        batch = [probe.prompt for probe in probes[start : start + JUDGED_AT_ONCE]]
        inputs = tokenizer(batch, return_tensors="pt", padding=True)
        made = model.generate(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False,
            max_new_tokens=max(limits), use_cache=True, pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )[:, inputs["input_ids"].shape[1] :]  # fmt: skip
        ends = limits[start : start + JUDGED_AT_ONCE]
        found += [stopper.text(row[:end]) for row, end in zip(made.tolist(), ends, strict=True)]
    return found


def probability_values(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probes: Sequence[Probe], lean: bool
) -> dict[str, list[float]]:
    """Return the metrics of probabilities of each probe; unless ``lean`` each asks the model anew."""
    encoded = [encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors)) for probe in probes]
    answers = [[Answer(e.prompt + ids, len(e.prompt)) for ids in e.continuations] for e in encoded]
    padding = int(tokenizer.pad_token_id)
    right, wrong = [own[0] for own in answers], [answer for own in answers for answer in own[1:]]
    known: list[list[float]] = []

    def asked(with_wrong: bool) -> list[list[float]]:
        if lean and known:
            return known
        of_right = mean_log_probs(model, right, padding)
        if not with_wrong and not lean:
            return [[value] for value in of_right]
        of_wrong = iter(mean_log_probs(model, wrong, padding))
        found = [
            [value, *(next(of_wrong) for _ in own[1:])] for value, own in zip(of_right, answers, strict=True)
        ]
        known[:] = found
        return found

    answer_prob = [torch.tensor(own[0]).exp().item() for own in asked(with_wrong=False)]
    won = [float(own[0] > max(own[1:])) for own in asked(with_wrong=True)]
    logs = [torch.tensor(own, dtype=torch.float64) for own in asked(with_wrong=True)]
    ratio = [(own[1:].exp().mean() / own[0].exp()).item() for own in logs]
    return dict(zip(PROBABILITY_METRICS, (answer_prob, won, ratio), strict=True))


def text_values(probes: Sequence[Probe], texts: Sequence[str]) -> dict[str, list[float]]:
    """Return the metrics of texts of each probe."""
    records = [ProbeRecord(probe, generation=text) for probe, text in zip(probes, texts, strict=True)]
    return {name: [METRICS.get(name).value(record) for record in records] for name in TEXT_METRICS}


def judge(
    run: UnlearnStep,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    probes: Sequence[Probe],
    lean: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the value of every probe and metric that judges it."""
    asked = [probe for probe in probes if probe.kind != "true_false"]
    values = [
        (probes, probability_values(model, tokenizer, probes, lean)),
        (asked, text_values(asked, greedy_texts(model, tokenizer, asked))),
    ]
    for of_probes, metrics in values:
        for name, column in metrics.items():
            for probe, value in zip(of_probes, column, strict=True):
                if METRICS.get(name).judges(probe):
                    keys = {"run_id": run.run_id, "fact_id": probe.fact_id, "probe": probe.kind}
                    yield {**keys, "metric": name, "value": value}


def run_rival(folder: Path, steps: Sequence[Step], lean: bool) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return the scores at the end of every run, and the seconds that loading, training and judging took."""
    seconds = dict.fromkeys(("loading", "training", "judging"), 0.0)
    found: list[pl.DataFrame] = []
    for run in runs_of(steps):
        started = time.perf_counter()
        base, baseline = run.baseline.base, run.baseline
        model = AutoModelForCausalLM.from_pretrained(base.model_folder(folder), dtype=torch.float32)
        tokenizer = load_tokenizer(base.model_folder(folder))
        facts = read_facts(base.facts_file(folder))
        target = select_target(facts, baseline.target, baseline.facts_per_role, base.draw_seed)
        maker = ProbeMaker(facts, base.prompts, baseline.n_wordings)
        probes = [probe for fact in target.facts.all for probe in maker.probes(fact, baseline.probes)]
        data = Steps(run, target, tokenizer)
        loaded = time.perf_counter()
        train(run, model, data, int(tokenizer.pad_token_id), lean)
        trained = time.perf_counter()
        rows = pl.DataFrame(judge(run, model, tokenizer, probes, lean))
        roles = pl.DataFrame(
            {"fact_id": [f.fact_id for f in target.facts.all], "role": [f.role for f in target.facts.all]}
        )
        found.append(
            rows.group_by("run_id", "fact_id", "probe", "metric")
            .agg(pl.col("value").mean())
            .join(roles, on="fact_id")
        )
        judged = time.perf_counter()
        for name, end, start in (
            ("loading", loaded, started),
            ("training", trained, loaded),
            ("judging", judged, trained),
        ):
            seconds[name] += end - start
    return pl.concat(found).select(*KEYS, "value"), seconds


# --- the comparison


def run_side(side: str, folder: Path, seeds: int, n_steps: int, out: Path) -> dict[str, Any]:
    """Write the scores of one side to ``out`` and return what else it brought."""
    steps = plan_steps(compared_settings(seeds, n_steps))
    if side.startswith("ours"):
        scores = run_ours(folder, steps, workers=1 if side == "ours-1-worker" else 2)
        seconds: dict[str, float] = {}
    else:
        scores, seconds = run_rival(folder, steps, lean=side == "lean")
    scores.write_parquet(out)
    return {"seconds_of": seconds, "threads": torch.get_num_threads()}


def prepare(folder: Path, seeds: int, n_steps: int) -> dict[str, Any]:
    """Build the corpus and pre-train the model, and return what describes the work."""
    steps = plan_steps(compared_settings(seeds, n_steps))
    to_do = [s for s in steps if s.kind in ("corpus", "pretrain") and not s.is_done(folder)]
    for _ in run_steps(folder, to_do, ExecutorSettings(2), Silence()):
        pass
    run = runs_of(steps)[0]
    baseline, base = run.baseline, run.baseline.base
    facts = read_facts(base.facts_file(folder))
    target = select_target(facts, baseline.target, baseline.facts_per_role, base.draw_seed)
    maker = ProbeMaker(facts, base.prompts, baseline.n_wordings)
    probes = [probe for fact in target.facts.all for probe in maker.probes(fact, baseline.probes)]
    return {
        "runs": len(runs_of(steps)), "methods": [method["kind"] for method in METHODS], "seeds": seeds,
        "size": base.labels(folder)["size"], "steps": n_steps, "batch_facts": run.unlearn.batch_size,
        "facts_to_forget": len(target.forget), "facts_to_retain": len(target.retain_set),
        "facts_judged": len(target.facts.all), "probes": len(probes),
        "texts": sum(probe.kind != "true_false" for probe in probes),
        "answers_scored": sum(1 + len(probe.distractors) for probe in probes),
    }  # fmt: skip


def in_a_process(side: str, prepared: Path, seeds: int, n_steps: int, out: Path) -> dict[str, Any]:
    """Return how long one side took in fresh processes, from their start to their end."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        command = [sys.executable, __file__, "--side", side, "--material", folder, "--scores", str(out)]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [*command, "--seeds", str(seeds), "--steps", str(n_steps)],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    runs = len(METHODS) * seeds
    found = {"runs_per_minute": 60 * runs / seconds, "seconds": seconds, "cpu_seconds": cpu}
    found |= json.loads(done.stdout.splitlines()[-1])
    print(side, found, file=sys.stderr, flush=True)
    return found


def agreement(ours: Path, rival: Path) -> dict[str, Any]:
    """Return how far the scores of two sides differ, metric by metric."""
    both = pl.read_parquet(ours).join(
        pl.read_parquet(rival), on=KEYS, how="full", suffix="_rival", coalesce=True
    )
    apart = (pl.col("value") - pl.col("value_rival")).abs()
    tolerance = TOLERANCE * pl.max_horizontal(pl.col("value").abs(), pl.col("value_rival").abs())
    rows = both.group_by("metric").agg(
        pl.len().alias("values"),
        (apart > tolerance).fill_null(True).mean().alias("share_apart"),
        pl.col("value").mean().alias("mean"),
        pl.col("value_rival").mean().alias("mean_rival"),
    )
    return {row.pop("metric"): row for row in rows.sort("metric").to_dicts()}


def compare(turns: int, seeds: int, n_steps: int, material: Path, folder: Path) -> dict[str, Any]:
    """Return what every side brought in every turn, and the ratios of our runs per minute to the rivals'."""
    described = prepare(material, seeds, n_steps)
    rows: list[dict[str, dict[str, Any]]] = []
    for turn in range(turns):
        order = SIDES if turn % 2 == 0 else SIDES[::-1]
        made = {s: in_a_process(s, material, seeds, n_steps, folder / f"{s}.parquet") for s in order}
        rows.append({side: made[side] for side in SIDES})

    def ratio(side: str, rival: str) -> dict[str, float]:
        values = [row[side]["runs_per_minute"] / row[rival]["runs_per_minute"] for row in rows]
        return {"median": statistics.median(values), "min": min(values), "max": max(values)}

    ratios = {f"{side}_over_{rival}": ratio(side, rival) for side in SIDES[:2] for rival in SIDES[2:]}
    return {
        **described,
        "runs_per_minute": {s: statistics.median(row[s]["runs_per_minute"] for row in rows) for s in SIDES},
        **ratios,
        "target_met": ratios["ours_over_trainer"]["median"] >= TARGET,
        "target_met_against_lean": ratios["ours_over_lean"]["median"] >= TARGET,
        "scores": {s: agreement(folder / "ours.parquet", folder / f"{s}.parquet") for s in SIDES[1:]},
        "turns": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4, help="runs of each of the three methods")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument(
        "--material", type=Path, help="folder that keeps the pre-trained model for other calls"
    )
    parser.add_argument("--scores", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seeds, n_steps = arguments.seeds, arguments.steps
    if arguments.side:
        print(json.dumps(run_side(arguments.side, arguments.material, seeds, n_steps, arguments.scores)))
        return
    with tempfile.TemporaryDirectory() as folder:
        material = arguments.material or Path(folder) / "prepared"
        result = compare(arguments.turns, seeds, n_steps, material, Path(folder))
    print(json.dumps({name: value for name, value in result.items() if name != "turns"}, indent=2))
    found = {
        "command": f"python benchmarks/study.py {' '.join(sys.argv[1:])}".strip(), "target": TARGET,
        "tolerance": TOLERANCE, **result, "cores": os.cpu_count(), **manifest(),
    }  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
