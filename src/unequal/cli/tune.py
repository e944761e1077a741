"""``unequal tune``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from unequal.cli.options import hint_chat, prompt_flags, require_training, settings_from
from unequal.console import progress_bar, say, show_table

if TYPE_CHECKING:
    from unequal.study.stages.tune import TuneCommand
    from unequal.unlearning.search import Trial


def tune(
    *,
    model: str | None = None,
    forget: Path | None = None,
    retain: Path | None = None,
    utility: Path | None = None,
    method: str | None = None,
    steps: int | None = None,
    utility_drop: float | None = None,
    seed: int | None = None,
    chat: bool | None = None,
    system: str | None = None,
    known_by: str | None = None,
    allow_unknown: bool | None = None,
    merge_adapter: bool | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    out: Path | None = None,
    config: Path | None = None,
) -> None:
    """Find the learning rate at which a method forgets most within a utility budget.

    Parameters
    ----------
    model
        Folder of a model and its tokenizer, or a name on the Hugging Face hub.
    forget
        Fact table of what to forget.
    retain
        Fact table of what training holds on to.
    utility
        Fact table of what is never trained on and may not be harmed.
    method
        Name of a method; see: unequal methods.
    steps
        Optimiser steps of a whole run. [default: 20]
    utility_drop
        Share of the probability of untouched answers that may go. [default: 0.1]
    seed
        Seed of the order of facts. [default: 0]
    chat
        Ask in the chat template of the model's tokenizer. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    known_by
        The reading of generated texts that says what is known: answer_said, exact_match or contains_answer.
        [default: answer_said]
    allow_unknown
        Go on though the model says none of the facts to forget.
    merge_adapter
        Add an adapter that lies beside the model's parameters to them. [default: such a folder is refused]
    device
        auto, cpu, mps, cuda, or a card such as cuda:1. [default: auto, an accelerator if there is one]
    precision
        fp32, bf16 (products; weights stay fp32) or bf16-pure (weights too). [default: fp32]
    compile
        Let torch compile the model.
    out
        File of the trials (JSON); the same command goes on from it.
    config
        TOML file with any of these settings, and tables method, search, unlearn and prompts.
    """
    from unequal.study.stages.tune import TuneCommand, run_tune

    flags = {
        "model": model, "forget": forget, "retain": retain, "utility": utility, "method.kind": method,
        "unlearn.steps": steps, "search.utility_drop": utility_drop, "seed": seed, "out": out,
        **prompt_flags(chat, system), "known_by": known_by, "allow_unknown": allow_unknown,
        "merge_adapter": merge_adapter,
        "device": device, "unlearn.precision": precision, "unlearn.compile": compile,
    }  # fmt: skip
    settings = settings_from(TuneCommand, config, flags)
    require_training("the search for a learning rate")
    hint_chat(settings.model, settings.prompts.chat)
    with progress_bar("trials") as progress:
        trials = run_tune(settings, progress)
    budget = settings.search.utility_drop
    rows = []
    for _, trial in trials:
        best, start = trial.best(budget), trial.looks[0]
        kept = best.utility / start.utility if start.utility else 1.0
        note = "diverged" if trial.diverged else ""
        rate = f"{trial.rate:.2g}"
        rows.append((rate, trial.steps, best.step, f"{trial.forgetting(budget):.0%}", f"{kept:.0%}", note))
    columns = ["learning rate", "steps", "best step", "forgotten", "utility kept", ""]
    show_table(f"{settings.method.kind}: answer probability within the budget", columns, rows)
    chosen = trials[-1][1]
    if chosen.forgetting(budget) <= 0:
        say(f"no rate forgets anything within {budget:.0%} of utility; all trials are in {settings.out}")
        return
    _advise(settings, chosen)


def _advise(settings: "TuneCommand", chosen: "Trial") -> None:
    """Print the rate with the step and the rule that it holds for, and the command that uses them."""
    budget = settings.search.utility_drop
    best = chosen.best(budget)
    say(
        f"use learning_rate = {chosen.rate:.3g} and stop by utility_drop = {budget:g}: at step {best.step}"
        f" of {chosen.steps} {chosen.forgetting(budget):.0%} of the answer probability was gone; without it"
        " the run goes on past that, and untouched answers with it"
    )
    given: dict[str, object] = {
        "--model": settings.model,
        "--forget": settings.forget,
        "--retain": settings.retain,
        "--utility": settings.utility,
        "--method": settings.method.kind,
        "--learning-rate": f"{chosen.rate:.3g}",
        "--steps": chosen.steps,
        "--utility-drop": f"{budget:g}",
        "--seed": settings.seed or None,
        "--system": settings.prompts.system,
    }
    words = [f"{flag} {shlex.quote(str(value))}" for flag, value in given.items() if value is not None]
    if settings.prompts.chat:
        words.append("--chat")
    say(f"next: unequal unlearn {' '.join(words)} --out unlearned")
    say(f"all trials are in {settings.out}")
