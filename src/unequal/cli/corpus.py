"""``unequal corpus``."""

from shlex import quote

from unequal.cli.flags import takes
from unequal.cli.options import require_training
from unequal.console import progress_bar, say
from unequal.study.stages.corpus import CorpusCommand, run_corpus


@takes(CorpusCommand, seed="corpus.seed", chat="prompts.chat", system="prompts.system")
def corpus(settings: CorpusCommand) -> None:
    """Build a controlled corpus: people at random exposure levels, text, token windows and a ledger."""
    require_training("building a corpus")
    with progress_bar("building the corpus") as progress:
        run_corpus(settings, progress)
    say(f"the corpus is in {settings.out}; its ledger is {settings.out / 'ledger.parquet'}")
    say(
        f"all facts are in {settings.out / 'facts.parquet'}, with the roles that unlearn, tune and audit take"
    )
    folder = quote(str(settings.out))
    say(f"next: unequal pretrain --corpus {folder} --family gpt2 --size 0.4M --out pretrained")
