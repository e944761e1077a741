"""``unequal unlearn``."""

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.cli.scores import say_known, show_before_and_after
from unequal.console import progress_bar, say
from unequal.evaluation.general_table import sentences
from unequal.evaluation.known_by import known_of
from unequal.study.stages.unlearn import UnlearnCommand, run_unlearn


@takes(
    UnlearnCommand,
    method="method.kind",
    learning_rate="method.learning_rate",
    steps="unlearn.steps",
    utility_drop="unlearn.stopping.utility_drop",
    perplexity_rise="unlearn.stopping.perplexity_rise",
    chat="prompts.chat",
    system="prompts.system",
    precision="unlearn.precision",
    compile="unlearn.compile",
)
def unlearn(settings: UnlearnCommand) -> None:
    """Make a model forget facts, evaluating it at log-spaced steps along the way."""
    require_training("unlearning")
    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("unlearning") as progress:
        unlearned = run_unlearn(settings, progress)
    show_before_and_after(unlearned.scores, settings.known_by)
    say_known(known_of(unlearned.scores.filter(step=0), settings.known_by, ["forget"]))
    for sentence in sentences(unlearned.general_changes):
        say(sentence)
    if unlearned.stopped:
        say(unlearned.stopped.sentence())
    say(f"the unlearned model is in {settings.out / 'model'}")
    say(f"all scores are in {settings.out / 'scores.parquet'}")
