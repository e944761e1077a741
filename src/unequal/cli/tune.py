"""``unequal tune``."""

import shlex
from typing import TYPE_CHECKING

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.console import progress_bar, say, show_table
from unequal.study.stages.tune import TuneCommand, run_tune

if TYPE_CHECKING:
    from unequal.unlearning.search import Trial


@takes(
    TuneCommand,
    method="method.kind",
    steps="unlearn.steps",
    utility_drop="search.utility_drop",
    chat="prompts.chat",
    system="prompts.system",
    precision="unlearn.precision",
    compile="unlearn.compile",
)
def tune(settings: TuneCommand) -> None:
    """Find the learning rate at which a method forgets most within a utility budget."""
    require_training("the search for a learning rate")
    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("trials") as progress:
        trials = run_tune(settings, progress)
    _show(settings, [trial for _, trial in trials])
    chosen, budget = trials[-1][1], settings.search.utility_drop
    if chosen.forgetting(budget) > 0:
        _advise(settings, chosen)
    else:
        say(f"no rate forgets anything within {budget:.0%} of utility; all trials are in {settings.out}")


def _show(settings: TuneCommand, trials: "list[Trial]") -> None:
    """Print every trial with its best step within the budget."""
    budget = settings.search.utility_drop
    rows = []
    for trial in trials:
        best, start = trial.best(budget), trial.looks[0]
        kept = best.utility / start.utility if start.utility else 1.0
        note = "diverged" if trial.diverged else ""
        rate = f"{trial.rate:.2g}"
        rows.append((rate, trial.steps, best.step, f"{trial.forgetting(budget):.0%}", f"{kept:.0%}", note))
    columns = ["learning rate", "steps", "best step", "forgotten", "utility kept", ""]
    show_table(f"{settings.method.kind}: answer probability within the budget", columns, rows)


def _advise(settings: TuneCommand, chosen: "Trial") -> None:
    """Print the rate with the step and the rule that it holds for, and the command that uses them."""
    from unequal.models.stored_prompts import read_prompts

    budget = settings.search.utility_drop
    best = chosen.best(budget)
    is_stored = settings.prompts == read_prompts(settings.model)
    say(
        f"use learning_rate = {chosen.rate:.3g} and stop by utility_drop = {budget:g}: at step {best.step}"
        f" of {chosen.steps} {chosen.forgetting(budget):.0%} of the answer probability was gone; without it"
        " the run goes on past that, and untouched answers with it"
    )
    given: dict[str, object] = {
        "--model": settings.model,
        "--forget": settings.forget,
        "--retain": settings.retain,
        "--utility": settings.utility,
        "--method": settings.method.kind,
        "--learning-rate": f"{chosen.rate:.3g}",
        "--steps": chosen.steps,
        "--utility-drop": f"{budget:g}",
        "--seed": settings.seed or None,
        "--system": None if is_stored else settings.prompts.system,
    }
    words = [f"{flag} {shlex.quote(str(value))}" for flag, value in given.items() if value is not None]
    if settings.prompts.chat and not is_stored:
        words.append("--chat")
    say(f"next: unequal unlearn {' '.join(words)} --out unlearned")
    say(f"all trials are in {settings.out}")
