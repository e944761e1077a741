"""``unequal tune``."""

import shlex
from typing import TYPE_CHECKING

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.console import progress_bar, say, show_table
from unequal.study.stages.tune import TuneCommand, run_tune

if TYPE_CHECKING:
    from unequal.study.stages.tune import Trials
    from unequal.unlearning.method import Method
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
    """Find the learning rate at which a method, or each of several, forgets most within a utility budget."""
    require_training("the search for a learning rate")
    from unequal.study.stages.tuned import best_method
    from unequal.unlearning.search import chosen_trial

    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("trials") as progress:
        trials = run_tune(settings, progress)
    budget = settings.search.utility_drop
    chosen = [(method, chosen_trial(trials[method.kind], budget)) for method in settings.compared]
    if len(chosen) == 1:
        _show_trials(settings, trials)
    else:
        _show_methods(settings, chosen)
    method, trial = best_method(chosen, budget)
    if trial.forgetting(budget) > 0:
        say(_finding(chosen, method, trial, budget))
        _advise(settings, method, trial)
    else:
        say(
            f"no rate forgets anything within {budget:.0%} of utility; search lower ones, such as"
            f" --search.lowest {settings.search.lowest / 100:.1g}; all trials are in {settings.out}"
        )


def _show_trials(settings: TuneCommand, trials: "Trials") -> None:
    """Print every trial of a method with its best step within the budget."""
    ((kind, made),) = trials.items()
    rows = [_row(trial, settings.search.utility_drop) for _, trial in made]
    show_table(f"{kind}: answer probability within the budget", COLUMNS, rows)


def _show_methods(settings: TuneCommand, chosen: "list[tuple[Method, Trial]]") -> None:
    """Print the best trial of each method."""
    budget = settings.search.utility_drop
    n_trials = settings.n_trials // len(chosen)
    rows = [(method.kind, *_row(trial, budget)) for method, trial in chosen]
    title = f"Answer probability within the budget, best of {n_trials} trials each"
    show_table(title, ["method", *COLUMNS], rows)


COLUMNS = ["learning rate", "steps", "best step", "forgotten", "utility kept", ""]


def _row(trial: "Trial", budget: float) -> tuple[str, int, int, str, str, str]:
    forgotten, kept = f"{trial.forgetting(budget):.0%}", f"{trial.kept(budget):.0%}"
    note = "diverged" if trial.diverged else ""
    return f"{trial.rate:.2g}", trial.steps, trial.best(budget).step, forgotten, kept, note


def _finding(chosen: "list[tuple[Method, Trial]]", method: "Method", trial: "Trial", budget: float) -> str:
    """Return, of several methods, how much the best forgets, and how much the others do."""
    rates = f"{trial.forgetting(budget):.0%} of the answer probability"
    others = [
        f"{one.kind} {other.forgetting(budget):.0%}" for one, other in chosen if one.kind != method.kind
    ]
    if not others:
        return f"{method.kind} forgets {rates} and keeps {trial.kept(budget):.0%} of untouched answers"
    return f"{method.kind} forgets most within {budget:.0%} of utility: {rates} ({', '.join(others)})"


def _advise(settings: TuneCommand, method: "Method", chosen: "Trial") -> None:
    """Print the rate with the step and the rule that it holds for, and the command that uses them."""
    from unequal.models.stored_prompts import read_prompts

    budget = settings.search.utility_drop
    best = chosen.best(budget)
    is_stored = settings.prompts == read_prompts(settings.model)
    past = "; without it the run goes on past that, and untouched answers with it"
    say(
        f"use learning_rate = {chosen.rate:.3g} and stop by utility_drop = {budget:g}: at step {best.step}"
        f" of {chosen.steps} {chosen.forgetting(budget):.0%} of the answer probability was gone"
        + (past if best.step < chosen.steps else "")
    )
    tables = {f"--{name.replace('_', '-')}": path for name, path in settings.tables().items()}
    given: dict[str, object] = {
        "--model": settings.model,
        **tables,
        "--relations": ",".join(settings.relations) or None,
        "--n-forget": settings.n_forget,
        "--method": method.kind,
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
    out = shlex.quote(str(settings.out))
    say(f"or, with every setting of the trials: unequal unlearn --tuned {out} --out unlearned")
