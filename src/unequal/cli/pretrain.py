"""``unequal pretrain``."""

from shlex import quote

import polars as pl

from unequal.cli.flags import takes
from unequal.cli.options import require_training
from unequal.console import progress_bar, say
from unequal.study.stages.pretrain import PretrainCommand, run_pretrain


@takes(
    PretrainCommand,
    family="model.family",
    size="model.size",
    precision="pretrain.precision",
    compile="pretrain.compile",
)
def pretrain(settings: PretrainCommand) -> None:
    """Train a model from scratch on a corpus, in the corpus's order.

    The same command continues after an interruption, with the same parameters.
    """
    require_training("pre-training")
    with progress_bar("pre-training") as progress:
        model = run_pretrain(settings, progress)
    say(f"the model is in {model}")
    if (facts := settings.corpus / "facts.parquet").is_file():
        relation = pl.read_parquet(facts, columns=["relation"])["relation"][0]
        tables = f"--facts {quote(str(facts))} --relations {relation}"
        say(f"next: unequal unlearn --model {quote(str(model))} {tables} --method npo --out unlearned")
