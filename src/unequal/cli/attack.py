"""``unequal attack``."""

from pathlib import Path

import polars as pl

from unequal.cli.options import hint_chat, prompt_flags, require_training, settings_from
from unequal.console import progress_bar, say, show_table


def attack(
    *,
    model: str | None = None,
    facts: Path | None = None,
    kind: list[str] | None = None,
    retain: Path | None = None,
    never_seen: Path | None = None,
    seed: int | None = None,
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
    """Try to get back what a model was made to forget, beside facts that it never saw.

    Parameters
    ----------
    model
        Folder of the unlearned model and its tokenizer, or a name on the Hugging Face hub.
    facts
        Fact table, with roles; facts without one are to be forgotten.
    kind
        Name of an attack, once for each; see: unequal attacks. [default: those of the file]
    retain
        Fact table of more that an attacker may know.
    never_seen
        Fact table of more that the model never saw, the control.
    seed
        Seed of all that is drawn. [default: 0]
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
        Folder for scores.parquet and generations.parquet.
    config
        TOML file with any of these settings, a table prompts, and a list attacks of names or tables.
    """
    from unequal.study.stages.attack import AttackCommand, run_attack

    flags = {
        "model": model, "facts": facts, "attacks": kind, "retain": retain, "never_seen": never_seen,
        "seed": seed, "out": out, **prompt_flags(chat, system), "known_by": known_by,
        "merge_adapter": merge_adapter,
        "device": device, "precision": precision, "compile": compile,
    }  # fmt: skip
    settings = settings_from(AttackCommand, config, flags)
    require_training("an attack")
    hint_chat(settings.model, settings.prompts.chat)
    with progress_bar("attacks") as progress:
        scores = run_attack(settings, progress)
    _show(scores)
    if "never_seen" not in scores["role"]:
        say(
            "warning: there are no never-seen facts, so nothing shows what an attack finds by luck;"
            " give --never-seen, or rows of that role"
        )
    say(f"all scores are in {settings.out / 'scores.parquet'}")


def _show(scores: pl.DataFrame) -> None:
    """Print the mean of each metric over facts to forget and over never-seen facts."""
    means = scores.group_by("metric", "role", maintain_order=True).agg(
        pl.col("value").mean(),
        pl.col("value").null_count().alias("gaps"),
        pl.col("reason").drop_nulls().first(),
    )
    found = {(row["metric"], row["role"]): row for row in means.iter_rows(named=True)}
    rows = []
    for metric in scores["metric"].unique(maintain_order=True):
        forget = found[metric, "forget"]
        control = found.get((metric, "never_seen"), {"value": None})
        gaps = f"{forget['gaps']}: {forget['reason']}" if forget["gaps"] else ""
        rows.append((metric, _number(forget["value"]), _number(control["value"]), gaps))
    show_table(
        "Means over facts", ["metric", "forget", "never seen", "facts to forget without a value"], rows
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
