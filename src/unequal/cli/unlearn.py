"""``unequal unlearn``."""

from pathlib import Path

from unequal.cli.options import hint_chat, prompt_flags, require_training, settings_from
from unequal.cli.scores import say_known, show_scores
from unequal.console import progress_bar, say
from unequal.evaluation.known_by import known_of


def unlearn(
    *,
    model: str | None = None,
    forget: Path | None = None,
    retain: Path | None = None,
    utility: Path | None = None,
    never_seen: Path | None = None,
    method: str | None = None,
    learning_rate: float | None = None,
    steps: int | None = None,
    utility_drop: float | None = None,
    seed: int | None = None,
    checkpoint_every: int | None = None,
    allow_unknown: bool | None = None,
    chat: bool | None = None,
    system: str | None = None,
    known_by: str | None = None,
    merge_adapter: bool | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    out: Path | None = None,
    config: Path | None = None,
) -> None:
    """Make a model forget facts, judging it at log-spaced steps along the way.

    Parameters
    ----------
    model
        Folder of a model and its tokenizer, or a name on the Hugging Face hub.
    forget
        Fact table of what to forget.
    retain
        Fact table of what training holds on to.
    utility
        Fact table of what is never trained on, to judge damage by.
    never_seen
        Fact table of what the model never saw, for the stopping rule matched_ignorance.
    method
        Name of a method; see: unequal methods.
    learning_rate
        Learning rate. [default: the method's own]
    steps
        Optimiser steps. [default: 20]
    utility_drop
        Stop, and go back, when untouched answers (--utility) have lost this share of their probability.
        [default: never]
    seed
        Seed of the order of facts. [default: 0]
    checkpoint_every
        Steps after each of which an interrupted run can go on with the same command. [default: 0, never]
    allow_unknown
        Go on though the model says none of the facts to forget.
    chat
        Ask in the chat template of the model's tokenizer. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    known_by
        The reading of generated texts that says what is known: answer_said, exact_match or contains_answer.
        [default: answer_said]
    merge_adapter
        Add an adapter that lies beside the model's parameters to them. [default: such a folder is refused]
    device
        auto, cpu, mps, cuda, or a card such as cuda:1. [default: auto, an accelerator if there is one]
    precision
        fp32, bf16 (products; weights stay fp32) or bf16-pure (weights too). [default: fp32]
    compile
        Let torch compile the model.
    out
        Folder for the unlearned model, its scores and its texts; an existing one is replaced as a whole.
    config
        TOML file with any of these settings, and tables method, unlearn and prompts.
    """
    from unequal.study.stages.unlearn import UnlearnCommand, run_unlearn

    flags = {
        "model": model, "forget": forget, "retain": retain, "utility": utility,
        "never_seen": never_seen, "method.kind": method,
        "method.learning_rate": learning_rate, "unlearn.steps": steps,
        "unlearn.stopping.utility_drop": utility_drop, "seed": seed,
        "checkpoint_every": checkpoint_every, "allow_unknown": allow_unknown, "out": out,
        **prompt_flags(chat, system), "known_by": known_by,
        "merge_adapter": merge_adapter,
        "device": device, "unlearn.precision": precision, "unlearn.compile": compile,
    }  # fmt: skip
    settings = settings_from(UnlearnCommand, config, flags)
    require_training("unlearning")
    hint_chat(settings.model, settings.prompts.chat)
    with progress_bar("unlearning") as progress:
        unlearned = run_unlearn(settings, progress)
    scores = unlearned.scores
    first_and_last = scores.filter(
        scores["step"].is_in([0, scores["step"].max()]) & (scores["probe"] == "question")
    )
    show_scores("Before and after", first_and_last, ["step"], settings.known_by)
    say_known(known_of(scores.filter(scores["step"] == 0), settings.known_by, ["forget"]))
    if unlearned.stopped:
        say(unlearned.stopped.sentence())
    say(f"the unlearned model is in {settings.out / 'model'}")
    say(f"all scores are in {settings.out / 'scores.parquet'}")
