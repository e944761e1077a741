"""``unequal evaluate``."""

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.cli.scores import say_known, show_means
from unequal.console import progress_bar, say
from unequal.evaluation.general_table import sentences
from unequal.evaluation.known_by import known_of
from unequal.study.stages.evaluate import EvaluateCommand, run_evaluate


@takes(
    EvaluateCommand,
    chat="prompts.chat",
    system="prompts.system",
    samples="passes.samples.n",
    temperature="passes.samples.temperature",
    top_p="passes.samples.top_p",
    gradient_norms="passes.gradient_norms",
)
def evaluate(settings: EvaluateCommand) -> None:
    """Evaluate a model on facts, by what it generates and by what it finds probable."""
    require_training("evaluating a model")
    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("evaluating") as progress:
        tables = run_evaluate(settings, progress)
    show_means(tables.scores, settings.metrics or [settings.known_by])
    say_known(known_of(tables.scores, settings.known_by))
    for sentence in sentences(tables.general.to_dicts()):
        say(sentence)
    say(f"all scores are in {settings.out / 'scores.parquet'}")
    say(f"metrics over several facts are in {settings.out / 'aggregates.parquet'}")
