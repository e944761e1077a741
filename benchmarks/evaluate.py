"""Facts evaluated a second by our two passes, against the conventional way, with the same scores.

All sides score the same probes with the same weights, the same fast layers and the same metric functions;
they differ in the passes that fill the records. ``conventional`` runs one teacher-forced pass a metric and an
answer (right and wrong ones), in file order in batches of 32, padded, with attention mask, with logits at all
positions; it writes texts, once for all metrics, with ``model.generate``, greedily, in file order in batches
of 32, padded on the left, to the longest limit of the batch. Two more rivals say what each idea brings:
``cached`` makes one pass an answer serve all metrics; ``lean`` is our own teacher-forced pass, but for the
prompt that the answers share: each has a row of its own. Both write as ``conventional`` does.

Each turn of each side is a process of its own with one thread; sides take turns. A first evaluation counts
all from encoding the probes to the last metric, after four probes that nobody times; a second one is what
another step of the same run costs. Facts per CPU second matter where others use the machine too. Scores must
agree to the tolerance; a text may differ only where rounding turns a tie, and such texts are counted. The
weights are random, so no text ends early.

    python benchmarks/evaluate.py --out benchmarks/results/evaluate.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from evaluate_material import MATERIALS, N_DISTRACTORS, SEED
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe, ProbeKind, ProbeMaker, PromptFormat
from unequal.facts.table import read_facts
from unequal.manifest import manifest
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.scoring.encoding import EncodedPrompt, encode, open_prompt
from unequal.scoring.ending import Stopper
from unequal.scoring.generate import GenerationPass
from unequal.scoring.log_probs import AnswerPass, AnswerScore, ProbeScore

RIVALS = ("conventional", "cached", "lean")
BATCH = 32
WINDOW_TOKENS = 128
TOLERANCE = 1e-4  # absolute, on every score
TARGET = 3.0  # times the facts a second of the conventional way
TEXT_METRICS = ("exact_match", "rouge_l_recall")
ANSWERS_NEEDED = {  # by each metric: the right one, or all
    "answer_prob": "right", "answer_log_prob": "right", "first_token_rank": "right",
    "choice_prob": "all", "choice_accuracy": "all",
}  # fmt: skip

Scores = dict[str, list[float]]


class Case(NamedTuple):
    """A model, how many facts it is asked about, and in which ways."""

    size: str
    n_facts: int
    kinds: tuple[ProbeKind, ...]


CASES = {
    "small": Case("0.4M", 256, ("question", "paraphrase", "cloze")),
    "large": Case("20M", 64, ("question",)),
}


class Task(NamedTuple):
    """What every side is given."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    probes: Sequence[Probe]


class Evaluation(NamedTuple):
    """What a side found, and the seconds of its teacher-forced passes and of its texts."""

    scores: Scores
    texts: list[str]
    answer_seconds: float
    text_seconds: float


def metric_values(names: Sequence[str], records: Sequence[ProbeRecord]) -> Scores:
    """Return each metric's value for each record."""
    return {name: [METRICS.get(name).value(record) for record in records] for name in names}


class Ours:
    """The two passes, made ready once."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._answers = AnswerPass(task.tokenizer, task.probes)
        self._generation = GenerationPass(task.tokenizer, task.probes)

    def run(self) -> Evaluation:
        """Return all scores from one teacher-forced pass and one generation pass."""
        started = time.perf_counter()
        scores = self._answers.run(self._task.model)
        scored = time.perf_counter()
        texts = self._generation.run(self._task.model)
        written = time.perf_counter()
        parts = zip(self._task.probes, texts, scores, strict=True)
        records = [ProbeRecord(*part) for part in parts]
        values = metric_values([*TEXT_METRICS, *ANSWERS_NEEDED], records)
        return Evaluation(values, texts, scored - started, written - scored)


class Rival:
    """One of the other ways, its probes encoded once."""

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        self._way = way
        tokenizer, probes = task.tokenizer, task.probes
        self._lean = AnswerPass(tokenizer, probes, share_prefix=False) if way == "lean" else None
        self._encoded = [
            encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors))
            for probe in (() if self._lean else probes)
        ]
        self._limits = [open_prompt(tokenizer, probe).limit for probe in task.probes]

    @torch.inference_mode()
    def run(self) -> Evaluation:
        """Return all scores, from a pass a metric and an answer or from one an answer."""
        started = time.perf_counter()
        by_metric = self._by_metric if self._way == "conventional" else self._for_all_metrics
        scores = by_metric()
        scored = time.perf_counter()
        texts = self._texts()
        written = time.perf_counter()
        records = [ProbeRecord(probe, text) for probe, text in zip(self._task.probes, texts, strict=True)]
        scores |= metric_values(TEXT_METRICS, records)
        return Evaluation(scores, texts, scored - started, written - scored)

    def _by_metric(self) -> Scores:
        scores: Scores = {}
        for name, answers in ANSWERS_NEEDED.items():
            scores |= metric_values([name], self._records(1 if answers == "right" else 1 + N_DISTRACTORS))
        return scores

    def _for_all_metrics(self) -> Scores:
        if self._lean is None:
            return metric_values(list(ANSWERS_NEEDED), self._records(1 + N_DISTRACTORS))
        found = self._lean.run(self._task.model)
        records = [ProbeRecord(score.probe, scores=score) for score in found]
        return metric_values(list(ANSWERS_NEEDED), records)

    def _records(self, n_answers: int) -> list[ProbeRecord]:
        """Return the probes' records with their first answers scored, one pass for each."""
        columns = [
            self._at_all_positions([(item, item.continuations[number]) for item in self._encoded])
            for number in range(n_answers)
        ]
        rows = zip(self._task.probes, *columns, strict=True)
        return [
            ProbeRecord(probe, scores=ProbeScore(probe, right, tuple(wrong))) for probe, right, *wrong in rows
        ]

    def _at_all_positions(self, answers: Sequence[tuple[EncodedPrompt, list[int]]]) -> list[AnswerScore]:
        """Return the scores of one answer a prompt as training code has it, from labels and all logits."""
        found: list[AnswerScore] = []
        for start in range(0, len(answers), BATCH):
            batch = answers[start : start + BATCH]
            ids, mask = self._padded([item.prompt + answer for item, answer in batch])
            labels = torch.full_like(ids, -100)
            for row, (item, answer) in enumerate(batch):
                begin = len(item.prompt)
                labels[row, begin : begin + len(answer)] = torch.tensor(answer)
            logits = self._task.model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            labels = labels[:, 1:]
            losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
            for row, loss in enumerate(losses.view(labels.shape)):
                is_answer = labels[row] != -100
                chosen = logits[row, is_answer].gather(1, labels[row, is_answer, None])
                found.append(answer_score(-loss[is_answer], (logits[row, is_answer] > chosen).sum(1)))
        return found

    def _padded(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        tensors = [torch.tensor(row) for row in rows]
        padding = float(self._task.tokenizer.pad_token_id)
        ids = pad_sequence(tensors, batch_first=True, padding_value=padding)
        return ids, pad_sequence([torch.ones_like(row) for row in tensors], batch_first=True)

    def _texts(self) -> list[str]:
        model, tokenizer, probes = self._task
        tokenizer.padding_side = "left"
        stopper = Stopper(tokenizer, probes[0].stops)
        texts: list[str] = []
        for start in range(0, len(probes), BATCH):
            prompts = tokenizer([p.prompt for p in probes[start : start + BATCH]], padding=True,
                                return_tensors="pt", return_token_type_ids=False)  # fmt: skip
            limits = self._limits[start : start + BATCH]
            out = model.generate(
                **prompts, do_sample=False, max_new_tokens=max(limits), use_cache=True,
                pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
            written = out[:, prompts["input_ids"].shape[1] :].tolist()
            texts += [stopper.text(row[:limit]) for row, limit in zip(written, limits, strict=True)]
        return texts


def answer_score(log_probs: Tensor, ranks: Tensor) -> AnswerScore:
    return AnswerScore(log_probs.double().numpy(), ranks.numpy(), np.zeros(len(ranks), dtype=np.int64))


SIDES: dict[str, Callable[[Task], Ours | Rival]] = {
    "ours": Ours,
    **{way: partial(Rival, way=way) for way in RIVALS},
}


def run_side(side: str, case: Case, folder: Path) -> dict[str, Any]:
    """Return what one side brought in this process."""
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(folder / "tokenizer")
    maker = ProbeMaker(facts := read_facts(folder / "facts.parquet"), PromptFormat())
    probes = [probe for fact in facts for probe in maker.probes(fact, case.kinds)]
    vocabulary = Vocabulary(
        size=len(tokenizer), window_tokens=WINDOW_TOKENS,
        end_token_id=tokenizer.eos_token_id, padding_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = scratch_model(ModelSettings(family="gpt2", size=case.size), vocabulary, SEED).eval()
    Path("/proc/self/clear_refs").write_text("5")
    loaded = peak_bytes()
    SIDES[side](Task(model, tokenizer, probes[:4])).run()  # what is loaded on first use is no one's cost
    started, cpu_started = time.perf_counter(), time.process_time()
    way = SIDES[side](Task(model, tokenizer, probes))
    first = way.run()
    ended, cpu_ended = time.perf_counter(), time.process_time()
    peak = peak_bytes()
    again = way.run()
    again_seconds, again_cpu_seconds = time.perf_counter() - ended, time.process_time() - cpu_ended
    return {
        "facts_per_second": len(facts) / (ended - started),
        "facts_per_cpu_second": len(facts) / (cpu_ended - cpu_started),
        "facts_per_second_again": len(facts) / again_seconds,
        "facts_per_cpu_second_again": len(facts) / again_cpu_seconds,
        "answer_seconds": first.answer_seconds, "answer_seconds_again": again.answer_seconds,
        "text_seconds": first.text_seconds, "text_seconds_again": again.text_seconds,
        "peak_above_loaded_megabytes": (peak - loaded) / 1e6,
        "n_facts": len(facts), "n_probes": len(probes), "n_params": model.num_parameters(),
        "vocabulary": len(tokenizer), "scores": first.scores, "texts": first.texts,
    }  # fmt: skip


def peak_bytes() -> int:
    """Return the most memory that was resident in this process since the mark was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def compare(name: str, turns: int, folder: Path) -> dict[str, Any]:
    """Return what every side brought in every turn, and the ratios of our side to the rivals."""
    MATERIALS[name](folder, CASES[name].n_facts)
    turn_rows: list[dict[str, dict[str, Any]]] = []
    for turn in range(turns):
        order = list(SIDES) if turn % 2 == 0 else list(SIDES)[::-1]
        turn_rows.append({side: in_a_process(side, name, folder) for side in order})
    first = turn_rows[0]["ours"]
    kept = [key for key, value in first.items() if isinstance(value, float)]
    medians = {
        side: {key: statistics.median(row[side][key] for row in turn_rows) for key in kept} for side in SIDES
    }
    return {
        "case": name, "size": CASES[name].size, "kinds": CASES[name].kinds,
        **{key: first[key] for key in ("n_params", "vocabulary", "n_facts", "n_probes")},
        "n_distractors": N_DISTRACTORS, "sides": medians,
        **{f"against_{rival}": ratios(turn_rows, rival) for rival in RIVALS},
        "turns": [{side: {key: row[side][key] for key in kept} for side in SIDES} for row in turn_rows],
    }  # fmt: skip


def in_a_process(side: str, name: str, folder: Path) -> dict[str, Any]:
    """Return what a side brought in a fresh process with one thread."""
    command = [sys.executable, __file__, "--side", side, "--case", name, "--material", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    shown = {key: round(value, 3) for key, value in found.items() if isinstance(value, float)}
    print(side, shown, file=sys.stderr, flush=True)
    return found


def ratios(turn_rows: Sequence[dict[str, dict[str, Any]]], rival: str) -> dict[str, Any]:
    """Return the ratios of our side to a rival over the turns, and how far their scores differ."""

    def spread(name: str) -> dict[str, float]:
        values = [row["ours"][name] / row[rival][name] for row in turn_rows]
        return {"median": statistics.median(values), "min": min(values), "max": max(values)}

    ours, theirs = turn_rows[0]["ours"], turn_rows[0][rival]
    deviations = {
        metric: max(abs(one - two) for one, two in zip(values, theirs["scores"][metric], strict=True))
        for metric, values in ours["scores"].items()
    }
    n_texts = sum(one != two for one, two in zip(ours["texts"], theirs["texts"], strict=True))
    speeds = [name for name in ours if name.startswith("facts_per")]
    return {
        **{f"{name}_ratio": spread(name) for name in speeds},
        "speed_target_met": spread("facts_per_second")["median"] >= TARGET if rival == RIVALS[0] else None,
        "largest_deviation": deviations,
        "scores_agree": max(deviations.values()) <= TOLERANCE,
        "texts_that_differ": n_texts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--material", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(run_side(arguments.side, CASES[arguments.case[0]], arguments.material)))
        return
    results = []
    for name in arguments.case:
        with tempfile.TemporaryDirectory() as folder:
            results.append(compare(name, arguments.turns, Path(folder) / name))
        print(json.dumps({key: value for key, value in results[-1].items() if key != "turns"}, indent=2))
    found = {
        "command": f"python benchmarks/evaluate.py {' '.join(sys.argv[1:])}".strip(),
        "target_ratio": TARGET, "tolerance": TOLERANCE, "rivals_batch": BATCH, "results": results,
        "threads": 1, "cores": os.cpu_count(), **manifest(),
    }  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
