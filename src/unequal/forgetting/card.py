"""The model card of an unlearned model, and the file that repeats the run."""

from typing import TYPE_CHECKING

import tomli_w

from unequal import __version__
from unequal.evaluation.general_table import sentences
from unequal.facts.roles import FactsByRole
from unequal.forgetting.settings import ForgetSettings

if TYPE_CHECKING:
    from unequal.forgetting.run import Forgotten

TABLE = "facts_by_role.jsonl"
"""The file with all facts of a run by role, as they were filled in."""


def model_card(found: "Forgotten", facts: FactsByRole) -> str:
    """Return the model card in Markdown; it names no fact."""
    settings, best, summary = found.settings, found.best, found.audit.summary
    method = best.trial.method
    verdicts = [f"| {row['verdict']} | {row['n_facts']} |" for row in summary["verdicts"]]
    kept = [
        f"| {row['role']}, by {row['kind']} | {row['before']:.3f} | {row['after']:.3f} |"
        for row in summary["utility"]
        if row["before"] is not None and row["after"] is not None
    ]
    general = "; ".join(sentences(summary["general"]))
    relations = ", ".join(sorted({fact.relation for fact in facts.forget}))
    lines = [
        "---",
        f"base_model: {settings.model}",
        "library_name: transformers",
        "tags: [machine-unlearning, unequal]",
        "---",
        "",
        f"# {settings.model}, made to forget {len(facts.forget)} facts",
        "",
        f"{method.title} (`{method.kind}`, learning rate {method.learning_rate:.2g}) was applied by unequal"
        f" {__version__} to remove {len(facts.forget)} facts ({relations})."
        f" Training {best.trial.stopped or 'ran all its steps'}.",
        "",
        *summary["finding"],
        "",
        "| verdict after attacks | facts to forget |",
        "|---|---|",
        *verdicts,
        "",
        "| what should survive | before | after |",
        "|---|---|---|",
        *kept,
        "",
        *([f"In general: {general}.", ""] if general else []),
        f"Attacks: {', '.join(attack.name for attack in settings.attacks) or 'none'}. That they find nothing"
        " does not prove that nothing is left: a stronger attack, or another wording, may find more. The"
        " licence is that of the base model.",
        "",
        "The prompt format that was asked, and should be asked, is in `prompts.json`. The whole audit is"
        " `audit.html` beside this model, and `unequal forget --config forget.toml` repeats the run.",
    ]
    return "\n".join(lines) + "\n"


def repeat_file(settings: ForgetSettings) -> str:
    """Return the settings as TOML, with the prompt format that was found and the table as filled in."""
    left_out = {"device", "facts", "forget", "retain", "utility", "never_seen", "relations", "n_forget"}
    values = {
        **settings.model_dump(mode="json", exclude_none=True, exclude=left_out),
        "facts": str(settings.out / TABLE),
    }
    head = f"# unequal forget --config forget.toml  (made by unequal {__version__})\n"
    return head + tomli_w.dumps(values)
