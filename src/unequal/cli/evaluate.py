"""``unequal evaluate``."""

from pathlib import Path

from unequal.cli.options import require_training, settings_from
from unequal.cli.scores import show_scores
from unequal.console import say


def evaluate(
    *,
    model: str | None = None,
    facts: Path | None = None,
    out: Path | None = None,
    config: Path | None = None,
) -> None:
    """Judge a model on facts, by what it generates and by what it finds probable.

    Parameters
    ----------
    model
        Folder of a model and its tokenizer, or a name on the Hugging Face hub.
    facts
        Fact table (.jsonl, .csv, .parquet).
    out
        Folder for scores.parquet and generations.parquet.
    config
        TOML file with any of these settings, and a table prompts.
    """
    from unequal.study.single import JudgeCommand, run_evaluate  # noqa: PLC0415

    settings = settings_from(JudgeCommand, config, {"model": model, "facts": facts, "out": out})
    require_training("judging a model")
    scores = run_evaluate(settings)
    show_scores("Means over facts", scores, [])
    say(f"all scores are in {settings.out / 'scores.parquet'}")
