"""``unequal corpus``."""

from pathlib import Path

from unequal.cli.options import prompt_flags, require_training, settings_from
from unequal.console import progress_bar, say


def corpus(
    *,
    out: Path | None = None,
    config: Path | None = None,
    seed: int | None = None,
    chat: bool | None = None,
    system: str | None = None,
) -> None:
    """Build a controlled corpus: people at random exposure levels, text, token windows and a ledger.

    Parameters
    ----------
    out
        Folder to write; an existing corpus there is replaced as a whole.
    config
        TOML file with tables world, corpus and prompts (all optional).
    seed
        Seed of the assignment of people, of wordings and of order.
    chat
        Write questions as chats, and give the tokenizer a chat template. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    """
    from unequal.study.stages.corpus import CorpusCommand, run_corpus

    settings = settings_from(
        CorpusCommand, config, {"out": out, "corpus.seed": seed} | prompt_flags(chat, system)
    )
    require_training("building a corpus")
    with progress_bar("building the corpus") as progress:
        run_corpus(settings, progress)
    say(f"the corpus is in {settings.out}; its ledger is {settings.out / 'ledger.parquet'}")
