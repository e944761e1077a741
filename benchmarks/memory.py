"""Peak memory of a study's steps against the estimate that a dry run shows.

Every step is a process of its own with one thread, as a worker's first one is; measured is the most that it
ever held (its peak resident set). Models are random, which takes as much as trained ones: controlled, natural
and checkpoint bases of 0.9 to 50 million weights, vocabularies of some hundred words to 50,000 pieces, all
weights trained or an adapter beside a base in 32, 8 or 4 bits. Long pre-training is ended after a few steps,
when all that it holds has been allocated.

    python benchmarks/memory.py --out benchmarks/results/memory.json
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts
from unequal.files import write_json
from unequal.manifest import manifest
from unequal.study.expand import plan_steps
from unequal.study.settings import StudySettings
from unequal.study.sources import study_settings
from unequal.study.step import Step
from unequal.workers import ONE_THREAD

LARGEST_ERROR = 0.2  # of what is measured
STEPS_OF_TRAINING = 4
PIECES = 50_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ADAPTER = {"adapter": {"rank": 16}}

RUNS: dict[str, dict[str, Any]] = {
    "all weights": {},
    "all weights, layers worked out twice": {"gradient_checkpointing": True},
    "adapter": ADAPTER,
    "adapter, base in 8 bits": {**ADAPTER, "quantise": "int8"},
    "adapter, base in 4 bits": {**ADAPTER, "quantise": "nf4"},
}
"""What is trained, by the name of the case."""

PEOPLE = {"levels": [0, 1, 2], "people_per_level": 16, "retain_people": 32, "utility_people": 16, "epochs": 1}
CONTROLLED = {
    "name": "memory",
    "seeds": [0],
    "world": {"relations": ["birth_city", "employer"]},
    "corpus": {**PEOPLE, "window_tokens": 128},
    "prompts": {"question": "{question}"},
    "methods": ["npo"],
    "targets": [{"relation": "birth_city"}],
    "evaluate": {"facts_per_role": 24, "probes": ["question", "cloze"], "n_wordings": 2},
}
OF_COUNTRIES = {
    "name": "memory",
    "seeds": [0],
    "facts": {"made_up": 20, "tables": [{"file": "country-capital", "most": 60}]},
    "methods": ["npo"],
    "targets": [{"relation": "capital"}],
    "evaluate": {"facts_per_role": 24, "probes": ["question", "cloze"], "n_wordings": 2},
}


class Ended(Exception):  # noqa: N818  no error
    """The step has done enough."""


def controlled(family: str, size: str, run: str = "all weights", **changes: Any) -> dict[str, Any]:
    """Return a study of one model of scratch."""
    given = {"steps": 2, "batch_size": 32, "evaluate_at": [2], **RUNS[run]}
    return {**CONTROLLED, "models": [{"family": family, "size": size}], "unlearn": given, **changes}


def natural(family: str, size: str, pieces: int) -> dict[str, Any]:
    """Return a study of one model of real text."""
    own = {
        "source": "natural",
        "text": {"corpus": "factbook", "keep": "documents"},
        "corpus": {"epochs": 1, "vocabulary_size": pieces},
        "models": [{"family": family, "size": size}],
        "unlearn": {"steps": 2, "batch_size": 32, "evaluate_at": [2]},
    }
    return OF_COUNTRIES | own


def checkpoint(folder: Path, run: str, **changes: Any) -> dict[str, Any]:
    """Return a study of one model folder."""
    own = {
        "source": "checkpoints",
        "checkpoints": [{"model": str(folder)}],
        "counts": {"engine": "scan", "corpus": "factbook", "workers": 1},
        "unlearn": {"steps": 2, "batch_size": 32, "evaluate_at": [2], **RUNS[run]},
    }
    return OF_COUNTRIES | own | changes


def cases(folder: Path) -> Iterator[tuple[str, StudySettings]]:
    """Yield the studies whose steps are measured, by name."""
    of_folders = {name: _folder(folder / name, "llama", name) for name in ("20M", "50M")}
    found = {
        "gpt2 0.9M, words": controlled("gpt2", "0.9M"),
        "gpt2 0.9M, words, adapter": controlled("gpt2", "0.9M", "adapter"),
        "llama 11M, words": controlled("llama", "11M"),
        "llama 11M, words, adapter, base in 4 bits": controlled("llama", "11M", "adapter, base in 4 bits"),
        "gpt2 20M, words, graddiff of 128 facts": controlled(
            "gpt2",
            "20M",
            methods=["graddiff"],
            corpus={**PEOPLE, "people_per_level": 64, "retain_people": 128, "window_tokens": 128},
            unlearn={"steps": 2, "batch_size": 128, "evaluate_at": [2]},
        ),
        "gpt2 3M, 30,000 pieces of text": natural("gpt2", "3M", 30_000),
        **{f"llama 20M, 50,000 pieces, {run}": checkpoint(of_folders["20M"], run) for run in RUNS},
        "llama 20M, 50,000 pieces, KL of retained answers": checkpoint(
            of_folders["20M"], "all weights", methods=[{"kind": "npo", "retain_loss": "kl"}]
        ),
        **{
            f"llama 50M, 50,000 pieces, {run}": checkpoint(of_folders["50M"], run)
            for run in ("all weights", "adapter, base in 4 bits")
        },
    }
    for name, values in found.items():
        yield name, study_settings(values, name)


def _folder(folder: Path, family: str, size: str) -> Path:
    """Return a folder with a model of a vocabulary of 50,000 pieces."""
    if (folder / "config.json").is_file():
        return folder
    # Not above: a process that runs a step loads what the step needs.
    from unequal.corpus.settings import TokenizerSettings
    from unequal.corpus.tokenizers import train_tokenizer
    from unequal.models.load import scratch_model
    from unequal.models.save import save_model
    from unequal.models.shapes import ModelSettings, Vocabulary

    facts = read_facts(packaged_facts())
    words = (a + b + c + d for a in LETTERS for b in LETTERS for c in LETTERS for d in LETTERS)
    texts = [f" {next(words)}" for _ in range(PIECES)]
    texts += [f"Question: {fact.question} Answer: {fact.answer} {fact.subject}" for fact in facts]
    tokenizer = train_tokenizer(texts, TokenizerSettings(), 256)
    made = Vocabulary(
        size=len(tokenizer),
        window_tokens=256,
        end_token_id=tokenizer.eos_token_id,
        padding_token_id=tokenizer.pad_token_id,
    )
    model = scratch_model(ModelSettings(family=family, size=size), made, seed=0)
    save_model(model, tokenizer, folder)
    return folder


def measure(settings: StudySettings, place: int, study: Path) -> float:
    """Return the peak of a process that runs one step, in gigabytes; raises when it fails."""
    given = json.dumps({"settings": settings.model_dump(mode="json"), "place": place, "study": str(study)})
    environment = os.environ | ONE_THREAD | {"HF_HUB_OFFLINE": "1"}
    words = [sys.executable, __file__, "--run-step"]
    done = subprocess.run(words, input=given, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the step ended with {done.returncode}: {done.stderr}")
    return float(done.stdout.splitlines()[-1])


def run_step(given: dict[str, Any]) -> None:
    """Run one step of a study and print the peak of this process, in gigabytes."""
    step = plan_steps(study_settings(given["settings"], "benchmark"))[given["place"]]
    with contextlib.suppress(Ended):
        step.run(Path(given["study"]), _end_early if step.kind == "pretrain" else _go_on)
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    print(float(peak) * 1024 / 1e9)


def _end_early(done: int, total: int) -> None:
    if total > 200 and done >= STEPS_OF_TRAINING:
        raise Ended


def _go_on(_done: int, _total: int) -> None:
    pass


def rows_of(
    name: str, settings: StudySettings, study: Path, known: dict[str, dict[str, Any]], estimate: bool
) -> Iterator[dict[str, Any]]:
    """Yield the estimate and the measured peak of every step that no other case had.

    Peaks of ``known`` rows are taken as they are where the step's result is still there, or if no more is
    asked for than to ``estimate``.
    """
    for place, step in enumerate(plan_steps(settings)):
        row = known.get(step.folder, {})
        if row.get("case", name) != name:
            continue
        start = time.perf_counter()
        if row and (estimate or step.is_done(study) or step.kind == "pretrain"):
            yield _row(name, step, row["measured_gb"], row["seconds"])
        elif estimate:
            continue
        else:
            yield _row(name, step, measure(settings, place, study), time.perf_counter() - start)
        if not (estimate or step.is_done(study)):  # it was ended early, and what follows needs its result
            break


def _row(name: str, step: Step, measured: float, seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case": name,
        "step": step.kind,
        "folder": step.folder,
        "estimate_gb": round(step.memory, 3),
        "measured_gb": round(measured, 3),
        "error": round(step.memory / measured - 1, 3),
        "seconds": round(seconds, 1),
    }
    numbers = f"{row['estimate_gb']:7.2f} {measured:7.2f} {100 * row['error']:+5.0f}%"
    print(f"{name:65} {step.kind:10} {numbers}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="file of the result; peaks that it holds are kept")
    parser.add_argument("--folder", type=Path, help="of models and studies, to go on after an interruption")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--estimate", action="store_true", help="measure nothing, estimate anew")
    parser.add_argument("--run-step", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run_step:
        run_step(json.load(sys.stdin))
        return
    known: dict[str, dict[str, Any]] = {}
    if given.out and given.out.is_file():
        known = {row["folder"]: row for row in json.loads(given.out.read_text())["rows"]}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        for name, settings in cases(folder):
            if given.only in name:
                for row in rows_of(name, settings, folder / "study", known, given.estimate):
                    known[row["folder"]] = row
                    _write(given.out, list(known.values()))
    worst = max(known.values(), key=lambda row: abs(row["error"]))
    print(f"worst: {worst['case']}, {worst['step']}: {worst['error']:+.0%}")
    sys.exit(abs(worst["error"]) > LARGEST_ERROR)


def _write(out: Path | None, rows: list[dict[str, Any]]) -> None:
    if out:
        largest = max(abs(row["error"]) for row in rows)
        command = "python benchmarks/memory.py --out benchmarks/results/memory.json"
        write_json(out, {"command": command, **manifest(), "largest_error": largest, "rows": rows})


if __name__ == "__main__":
    main()
