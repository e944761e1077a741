"""The dry run of ``unequal forget``: what will be done, and about how long it takes here."""

import time
from collections.abc import Callable
from dataclasses import replace

from unequal.auditing.run import Auditor
from unequal.forgetting.run import Prepared, prepare_run
from unequal.forgetting.settings import ForgetSettings
from unequal.models.scratch_copy import copy_of
from unequal.scoring.encoding import Encoder
from unequal.unlearning.rate_range import N_FACTS
from unequal.unlearning.unlearn import unlearn

N_TIMED = 8
TRIAL_STEPS = 8
"""Steps that the trial of a learning rate usually takes."""


def plan(settings: ForgetSettings, prepared: Prepared) -> list[str]:
    """Return what the command will do, one sentence each, with the time it takes by a short measurement."""
    facts = prepared.facts
    per_fact = _seconds(lambda: _evaluate(settings, prepared)) / min(N_TIMED, len(facts.forget))
    per_pair = _seconds(lambda: _train(settings, prepared)) / min(N_TIMED, len(facts.forget))
    steps, batch = settings.unlearn.steps, min(settings.unlearn.batch_size, len(facts.forget))
    training = per_pair * (TRIAL_STEPS * min(N_FACTS, batch) + steps * batch)
    kept = len(facts.retain) + len(facts.utility)
    n_wordings = 1 + 2 * settings.n_wordings
    evaluating = per_fact * (len(facts.all) - kept + kept / n_wordings)
    attacking = evaluating * len(settings.attacks)
    n_methods = len(settings.methods)
    minutes = (evaluating + n_methods * (training + evaluating + attacking)) / 60
    roles = {
        "to forget": facts.forget, "to retain": facts.retain, "untouched": facts.utility,
        "made up or never seen": facts.never_seen,
    }  # fmt: skip
    return [
        "facts: " + ", ".join(f"{len(own)} {name}" for name, own in roles.items()),
        f"methods: {', '.join(one.kind for one in settings.methods)}, {steps} steps at most, ending when"
        f" {settings.budget:.0%} of the untouched answers' probability is lost",
        f"attacks on each: {', '.join(one.name for one in settings.attacks) or 'none'}",
        f"time: about {minutes:.0f} minutes on this machine ({training / 60:.1f} for training a method,"
        f" {(evaluating + attacking) / 60:.1f} for evaluating and attacking it)",
        f"written to {settings.out}: model/, audit.html, audit.json, methods.parquet, forget.toml",
    ]


def _evaluate(settings: ForgetSettings, prepared: Prepared) -> None:
    general = settings.general.model_copy(update={"when": "never"})
    options = settings.model_copy(update={"prompts": prepared.prompts, "general": general})
    some = prepared.facts.forget[:N_TIMED]
    Auditor(prepared.checkpoint.tokenizer, some, options).score(prepared.checkpoint.model)


def _train(settings: ForgetSettings, prepared: Prepared) -> None:
    run = prepare_run(settings, prepared, Encoder(prepared.checkpoint.tokenizer), settings.methods[0])
    short = run.settings.model_copy(
        update={"steps": 1, "batch_size": N_TIMED, "stopping": type(run.settings.stopping)()}
    )
    with copy_of(run.model) as model:
        unlearn(
            replace(
                run, model=model, settings=short, forget=run.forget[:N_TIMED], retain=run.retain[:N_TIMED]
            )
        )


def _seconds(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
