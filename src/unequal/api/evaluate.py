"""Evaluate a model on facts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unequal.api.facts import read_facts
from unequal.api.general import General, general_settings
from unequal.api.models import load
from unequal.api.results import Evaluation, Summary, percent
from unequal.evaluation.general_table import sentences
from unequal.evaluation.known_by import KNOWN_BY, KnownBy, known_of
from unequal.facts.probes import PROBE_KINDS, ProbeKind

if TYPE_CHECKING:
    from unequal.evaluation.metrics.contract import Metric


def evaluate(
    model: Any,
    facts: Any,
    *,
    probes: Sequence[ProbeKind] = PROBE_KINDS,
    metrics: "Sequence[str | Metric] | None" = None,
    known_by: KnownBy = KNOWN_BY,
    general: General = True,
) -> Evaluation:
    """Return the scores of a model on facts, by generated text and by probability.

    ``probes`` are the ways of asking: ``question``, ``paraphrase``, ``cloze`` (a statement to complete),
    ``reverse`` and ``true_false``, each where the facts have the columns for it. ``metrics`` are names (see
    ``unequal list metrics``) or metrics of your own (see `metric`), by default all that need no sampling.
    ``known_by`` is the metric of text by which a fact counts as said.
    ``general`` adds what is about no fact, such as perplexity: true, false, or settings of ``[general]``.
    """
    from unequal.evaluation.evaluate import evaluate as run
    from unequal.general_utility.measure import GeneralUtility

    asked, table = load(model), read_facts(facts)
    beside = GeneralUtility(general_settings(general), asked.model, asked.tokenizer, table, asked.prompts)
    found = run(asked.model, asked.tokenizer, table, asked.prompts, probes=probes, metrics=metrics)
    found = beside.added(asked.model, found)
    known = known_of(found.scores, known_by)
    rows = (
        ("said", percent(known.said)),
        ("right among choices", percent(known.chosen)),
        ("mean answer probability", percent(known.probability)),
    )
    notes = (*sentences(found.general.to_dicts()), *filter(None, [known.doubts()]))
    summary = Summary(f"{asked.name} on {known.n_facts} facts", ("", "share"), rows, notes)
    return Evaluation(found.scores, found.generations, summary, known, found.general)
