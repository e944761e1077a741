"""``unequal audit``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unequal.cli.options import hint_chat, prompt_flags, require_training, settings_from
from unequal.console import progress_bar, say, show_table

if TYPE_CHECKING:
    from unequal.audit.run import Audit

NOT_PASSED = 3
"""The exit code when a policy was stated and does not hold, and whenever nothing was judged."""


def audit(
    *,
    before: str | None = None,
    after: str | None = None,
    facts: Path | None = None,
    chat: bool | None = None,
    system: str | None = None,
    out: Path | None = None,
    utility: Path | None = None,
    never_seen: Path | None = None,
    counts: Path | None = None,
    corpus: str | None = None,
    policy: Path | None = None,
    attacks: str | None = None,
    n_wordings: int | None = None,
    known_by: str | None = None,
    seed: int | None = None,
    merge_adapter: bool | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    config: Path | None = None,
) -> None:
    """Give a verdict on every fact after unlearning.

    The exit code is 3 when the policy does not hold, and whenever nothing could be judged.

    Parameters
    ----------
    before
        Folder of the model before unlearning, or a name on the Hugging Face hub.
    after
        Folder of the model after it.
    facts
        Fact table (.jsonl, .csv, .parquet); facts without a role are to be forgotten.
    chat
        Ask in the chat template of the model's tokenizer. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    out
        Folder for audit.json, facts.parquet, evidence.parquet and audit.html.
    utility
        Fact table of more facts, which must survive.
    never_seen
        Fact table of more facts, which neither model ever saw: what luck looks like.
    counts
        Count table, as unequal count writes it.
    corpus
        Glob of shards in which to count the facts instead.
    policy
        TOML file of what must hold; see examples/policy.toml.
    attacks
        Attacks, parted by commas, or none. [default: relearn,int8,nf4,sample,paraphrase,fewshot,lens]
    n_wordings
        Wordings of each paraphrase and cloze, at most. [default: 3]
    known_by
        The reading of generated texts that says what is known: answer_said, exact_match or contains_answer.
        [default: answer_said]
    seed
        Seed of attacks and intervals. [default: 0]
    merge_adapter
        Add an adapter that lies beside the model's parameters to them. [default: such a folder is refused]
    device
        auto, cpu, mps, cuda, or a card such as cuda:1. [default: auto, an accelerator if there is one]
    precision
        fp32, bf16 (products; weights stay fp32) or bf16-pure (weights too). [default: fp32]
    compile
        Let torch compile the model.
    config
        TOML file with any of these settings; flags win.
    """
    given = {name: value for name, value in locals().items() if name not in ("config", "chat", "system")}

    require_training("auditing a model")
    from unequal.audit.run import run_audit
    from unequal.audit.settings import AuditSettings

    settings = settings_from(AuditSettings, config, given | prompt_flags(chat, system))
    hint_chat(settings.after, settings.prompts.chat)
    with progress_bar("auditing") as progress:
        done = run_audit(settings, progress)
    _show(done)
    say(f"the page is {settings.out / 'audit.html'}, the numbers are in {settings.out / 'audit.json'}")
    for line in done.broken():
        say(f"policy: {line}")
    if nothing := done.summary["nothing_judged"]:
        say(f"this audit has not passed: {nothing}")
    if not done.passed:
        sys.exit(NOT_PASSED)
    if done.summary["policy"]:
        say(f"policy: all {len(done.summary['policy'])} lines hold")


def _show(done: "Audit") -> None:
    from unequal.evaluation.known_by import READINGS

    for sentence in done.summary["finding"]:
        say(sentence)
    reading = done.summary["known_by"]
    say(f"known by {reading}: {READINGS[reading]}")
    rows = [
        (row["verdict"], row["n_facts"], _percent(row.get("share")), _percent(row.get("never_seen")))
        for row in done.summary["verdicts"]
    ]
    known = f"{done.summary['n_known']} of {done.summary['n_facts']} facts were known before"
    show_table(known, ["verdict", "facts", "share of these", "of never-seen facts"], rows)
    losses = [
        (row["role"], row["kind"], f"{row['before']:.3f}", f"{row['after']:.3f}")
        for row in done.summary["utility"]
    ]
    if losses:
        show_table("What should survive", ["facts", "judged by", "before", "after"], losses)
    for note in done.summary["notes"]:
        say(f"note: {note}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
