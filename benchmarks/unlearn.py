"""Facts per second and peak memory of our NPO run against the loop of open code, on the same work.

The rival is a Hugging Face Trainer whose ``compute_loss`` asks a frozen copy of the model at every step,
takes facts to forget and facts to retain in two passes of their own, with labels, and gets logits at all
positions, as open-unlearning does (github.com/locuslab/open-unlearning, compute_dpo_loss in
src/trainer/utils.py). A second rival, ``lean``, keeps the passes and the positions but not what is wasted
there: the loss that a model works out when it is given labels and that the NPO term does not use, a copy of
the logits, and a softmax over their middle axis. All train the same weights on the same facts at the same
steps with fused AdamW of the same settings and the same clipping, without logging or saving.

``ours`` has default settings; ``ours_in_parts`` takes a step in micro-batches of eight facts to forget and
eight to retain.

One loss for all: mean over facts of −(2/β) log σ(β(S − S⁰)), plus the mean over retain facts of the negative
log-probability per answer token, end of text included. The model's own loss is a mean over tokens, so the
rivals work out the mean over facts from the logits in its place. The losses of every step are compared, in a
run of each side in float64, where they must agree to 1e-6: in float32 a difference of the last bit grows over
the steps, between the two rivals too, so there the deviations are reported beside the rivals' own.

Each turn of each side is a process of its own with one thread; sides take turns. Our time includes encoding
the facts and scoring them under the starting model; a rival's is that of ``train()`` alone, its facts encoded
and its model copied before. A fact counts each time it is trained on, to forget or to retain. Facts per CPU
second matter where others use the machine too. Peak memory is VmHWM, the kernel's high-water mark of resident
memory, reset when the model is loaded, so that what loading took for a moment does not count. Most of it may
be libraries (``loaded_megabytes``, model included): each side loads those that it needs, which is PyTorch,
transformers and ours on both, and on the rivals' the Trainer with what it brings along. What a loop takes
above that is given beside it, and so is what its tensors take; the target is checked on all three.

The case ``chat`` is the small one with 24 tokens before every question, about as many as chat templates of
instruction-tuned models put there; ours reads them once a step.

``tensor_megabytes`` is the most that torch had allocated for tensors at a time, weights, gradients and the
state of AdamW among them: what its allocator reports on a GPU. On a CPU it is added up from the profiler's
events, making the model included, in a run of each side of its own, which is not timed. It leaves out
libraries, and what the C library's heap loses between blocks, which ``peak_megabytes`` has.

The case ``gpu`` needs one. Its memory is what torch allocates there; model FLOP a second are 6 times weights
times tokens trained on.

    python benchmarks/unlearn.py --out benchmarks/results/unlearn.json
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from unequal.facts.table import read_facts
from unequal.manifest import manifest
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import Vocabulary
from unequal.training.loop import LoopSettings, run_steps
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.examples import Example
from unequal.unlearning.methods.npo import NPO
from unequal.unlearning.run import Run as UnlearningRun
from unequal.unlearning.settings import UnlearnSettings
from unlearn_material import (
    BATCH,
    CASES,
    N_FACTS,
    SEED,
    WINDOW_TOKENS,
    Case,
    Loop,
    Run,
    Steps,
    write_material,
)

MICRO_BATCHES = {"ours": None, "ours_in_parts": 8}
RIVALS = ("trainer", "lean")
SIDES = (*MICRO_BATCHES, *RIVALS)
TOLERANCE = 1e-6  # relative, on the loss of every step in float64
TARGETS = {"facts_per_second_ratio": 2.0, "peak_memory_share": 0.6}


def run_ours(loop: Loop) -> Run:
    """Train in place as ``unequal unlearn`` does."""
    losses: list[float] = []
    ends: list[float] = []

    def after_step(done: int, loss: float) -> None:
        ends.append(time.perf_counter())
        if done:
            losses.append(loss)

    started, cpu_started = time.perf_counter(), time.process_time()
    run = UnlearningRun(
        loop.model, loop.tokenizer, loop.method, loop.forget, loop.retain, loop.settings, loop.prompts, SEED
    )
    objective = AnswerObjective(run)
    optimiser = loop.settings.optimiser(loop.method.learning_rate)
    run_steps(loop.model, objective.losses, LoopSettings(loop.settings.steps, optimiser), after_step)
    return Run(time.perf_counter() - started, time.process_time() - cpu_started, ends, losses)


def loop_of(side: str) -> Callable[[Loop], Run]:
    """Return the loop of a side; a rival's library is loaded now, and in its own processes only."""
    if side in MICRO_BATCHES:
        return run_ours
    from unlearn_rivals import run_trainer

    return lambda loop: run_trainer(loop, lean=side == "lean")


def run_side(side: str, case: Case, folder: Path, steps: int, double: bool = False) -> dict[str, Any]:
    """Return what one side brought in this process."""
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(folder / "tokenizer")
    facts = read_facts(folder / "facts.parquet")
    vocabulary = Vocabulary(
        size=len(tokenizer), window_tokens=WINDOW_TOKENS,
        end_token_id=tokenizer.eos_token_id, padding_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = scratch_model(case.model, vocabulary, seed=SEED)
    settings = UnlearnSettings(steps=steps, batch_size=BATCH, micro_batch=MICRO_BATCHES.get(side))
    loop = Loop(
        model=model.bfloat16() if case.on_gpu else model.double() if double else model, tokenizer=tokenizer,
        forget=facts[:N_FACTS], retain=facts[N_FACTS:], method=NPO(learning_rate=case.learning_rate),
        settings=settings, prompts=case.prompts, on_gpu=case.on_gpu,
    )  # fmt: skip
    train = loop_of(side)
    loaded = mark_memory(case.on_gpu)
    run = train(loop)
    peak = peak_bytes(case.on_gpu)
    durations = [end - start for start, end in itertools.pairwise(run.ends)]
    pairs = Steps(loop)
    rows = [row for index in range(len(pairs)) for row in pairs[index].values()]
    tokens = sum(len(row.ids) for row in rows)
    return {
        "facts_per_second": 2 * BATCH * steps / run.seconds,
        "facts_per_cpu_second": 2 * BATCH * steps / run.cpu_seconds,
        "facts_per_second_of_median_step": 2 * BATCH / statistics.median(durations),
        "loaded_megabytes": loaded / 1e6,
        "peak_megabytes": peak / 1e6,
        "peak_above_loaded_megabytes": (peak - loaded) / 1e6,
        "model_teraflop_per_second": 6 * model.num_parameters() * tokens / run.seconds / 1e12,
        "losses": run.losses,
        "n_params": model.num_parameters(),
        **row_lengths(rows),
    }


def run_for_tensors(side: str, case: Case, folder: Path, steps: int) -> dict[str, Any]:
    """Return the most memory that tensors took in a run of one side; on a GPU that is known of any run."""
    if case.on_gpu:
        return {"tensor_megabytes": run_side(side, case, folder, steps)["peak_megabytes"]}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run_side(side, case, folder, steps)
    events = [one for one in watched.profiler.kineto_results.events() if one.name() == "[memory]"]
    events.sort(key=lambda one: one.start_ns())
    return {"tensor_megabytes": max(itertools.accumulate(one.nbytes() for one in events)) / 1e6}


def row_lengths(rows: Sequence[Example]) -> dict[str, Any]:
    """Return how long the rows of the run are, least, mean and most."""
    lengths = {
        "prompt_tokens": [row.span[0] for row in rows],
        "answer_tokens": [row.n_tokens for row in rows],
    }
    return {name: [min(n), round(statistics.mean(n), 2), max(n)] for name, n in lengths.items()}


def mark_memory(on_gpu: bool) -> int:
    """Return the memory in use, and let the peak begin anew."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes(on_gpu)


def peak_bytes(on_gpu: bool) -> int:
    """Return the most memory that this process held since the mark."""
    if on_gpu:
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def compare(name: str, turns: int, steps: int, folder: Path) -> dict[str, Any]:
    """Return what every side brought in every turn, and the ratios of our side to the rivals."""
    write_material(name, folder)
    turn_rows: list[dict[str, dict[str, Any]]] = []
    for turn in range(turns):
        order = SIDES if turn % 2 == 0 else SIDES[::-1]
        turn_rows.append({side: in_a_process(side, name, folder, steps) for side in order})
    exact = {side: in_a_process(side, name, folder, steps, "--double") for side in SIDES}
    tensors = {side: in_a_process(side, name, folder, steps, "--tensors") for side in SIDES}
    first = turn_rows[0]["ours"]
    result = {
        "case": name, "family": CASES[name].model.family, "size": CASES[name].model.size,
        "n_params": first["n_params"], "vocabulary": CASES[name].n_words,
        "prompts_begin_with_tokens": CASES[name].beginning, "n_facts_to_forget": N_FACTS,
        "n_facts_to_retain": N_FACTS, "batch_facts": 2 * BATCH, "steps": steps,
        "learning_rate": CASES[name].learning_rate, "prompt_tokens": first["prompt_tokens"],
        "answer_tokens": first["answer_tokens"],
        "sides": {side: {**medians([row[side] for row in turn_rows]), **tensors[side]} for side in SIDES},
        **{
            side: {f"against_{rival}": ratios(turn_rows, tensors, side, rival) for rival in RIVALS}
            for side in MICRO_BATCHES
        },
        "largest_relative_loss_deviation": {
            f"{one} from {other}": {
                "float64": deviation(exact[one]["losses"], exact[other]["losses"]),
                "float32": deviation(turn_rows[0][one]["losses"], turn_rows[0][other]["losses"]),
            }
            for one, other in itertools.combinations(SIDES, 2)
        },
        "losses_agree": all(
            deviation(exact[one]["losses"], exact[other]["losses"]) <= TOLERANCE
            for one, other in itertools.combinations(SIDES, 2)
        ),
        "losses": {side: turn_rows[0][side]["losses"] for side in SIDES},
    }  # fmt: skip
    kept = list(medians([first]))
    result["turns"] = [{side: {k: row[side][k] for k in kept} for side in SIDES} for row in turn_rows]
    return result


def in_a_process(side: str, name: str, folder: Path, steps: int, *options: str) -> dict[str, Any]:
    """Return what a side brought in a fresh process with one thread."""
    command = [sys.executable, __file__, "--side", side, "--case", name, "--material", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if not CASES[name].on_gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    done = subprocess.run(
        [*command, "--steps", str(steps), *options], env=environment, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(side, {key: value for key, value in found.items() if key != "losses"}, file=sys.stderr, flush=True)
    return found


def medians(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median over the turns of all that was measured."""
    names = [name for name in rows[0] if name.endswith(("second", "step", "megabytes"))]
    return {name: statistics.median(row[name] for row in rows) for name in names}


def deviation(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the largest relative difference of two runs' losses at one step."""
    return max(abs(one - other) / abs(other) for one, other in zip(ours, theirs, strict=True))


def ratios(
    turn_rows: Sequence[dict[str, dict[str, Any]]],
    tensors: dict[str, dict[str, Any]],
    side: str,
    rival: str,
) -> dict[str, Any]:
    """Return the ratios of a side of ours to a rival over the turns, and of the memory of their tensors."""

    def spread(name: str) -> dict[str, float]:
        values = [row[side][name] / row[rival][name] for row in turn_rows]
        return {"median": statistics.median(values), "min": min(values), "max": max(values)}

    speed, memory = spread("facts_per_second"), spread("peak_megabytes")
    above = spread("peak_above_loaded_megabytes")
    of_tensors = tensors[side]["tensor_megabytes"] / tensors[rival]["tensor_megabytes"]
    return {
        "facts_per_second_ratio": speed,
        "facts_per_cpu_second_ratio": spread("facts_per_cpu_second"),
        "facts_per_second_of_median_step_ratio": spread("facts_per_second_of_median_step"),
        "peak_memory_share": memory,
        "peak_above_loaded_share": above,
        "tensor_memory_share": of_tensors,
        "speed_target_met": speed["median"] >= TARGETS["facts_per_second_ratio"],
        "memory_target_met": memory["median"] <= TARGETS["peak_memory_share"],
        "memory_target_met_above_loaded": above["median"] <= TARGETS["peak_memory_share"],
        "memory_target_met_by_tensors": of_tensors <= TARGETS["peak_memory_share"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=["small", "chat", "large"])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--steps", type=int, help="of every case; by default 80 (small), 60 (chat), 8 (large), 20 (gpu)"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--double", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--tensors", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--material", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if any(CASES[name].on_gpu for name in arguments.case) and not torch.cuda.is_available():
        parser.error("the case gpu needs a CUDA device, and torch finds none here; leave it out")
    if arguments.side:
        case = CASES[arguments.case[0]]
        given = (arguments.side, case, arguments.material, arguments.steps or case.steps)
        found = run_for_tensors(*given) if arguments.tensors else run_side(*given, arguments.double)
        print(json.dumps(found))
        return
    results = []
    for name in arguments.case:
        with tempfile.TemporaryDirectory() as folder:
            steps = arguments.steps or CASES[name].steps
            results.append(compare(name, arguments.turns, steps, Path(folder) / name))
        print(json.dumps({k: v for k, v in results[-1].items() if k not in ("losses", "turns")}, indent=2))
    found = {
        "command": f"python benchmarks/unlearn.py {' '.join(sys.argv[1:])}".strip(), "targets": TARGETS,
        "tolerance": TOLERANCE, "results": results, "threads": 1, "cores": os.cpu_count(), **manifest(),
    }  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
