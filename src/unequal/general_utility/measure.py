"""Measure general utility: perplexity of held-out text, share of degenerate texts, and tasks of lm-eval."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import mean
from typing import Any

import polars as pl
from transformers import PreTrainedModel

from unequal.corpus.held_out import held_out_passages
from unequal.errors import DataError
from unequal.evaluation.evaluate import PROMPTS, Tables
from unequal.evaluation.general_table import BITS, DEGENERATE, GENERAL_SCHEMA, PERPLEXITY
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.evaluation.metrics.degenerate import degenerate
from unequal.evaluation.unlearning_run import Evaluate, Evaluations
from unequal.facts.probes import Chat, Probe, PromptFormat
from unequal.facts.schema import Fact
from unequal.general_utility.prompts import N_TOKENS, OPEN_PROMPTS
from unequal.general_utility.settings import NO_TEXT, GeneralSettings
from unequal.models.compute_settings import Precision
from unequal.models.configuration import window_of
from unequal.models.precision import computing_in
from unequal.scoring.encoding import Encoder, Tokenizer
from unequal.scoring.generate import generate
from unequal.scoring.perplexity import TextPass

MOST_UNKNOWN = 0.1
"""Share of unknown tokens up to which perplexity says something: an unknown token stands for any word."""
WORDS_OF_A_TOKEN = 2 / 3


class NoTextError(DataError):
    """Raised where there is no text on which a model's perplexity could be measured, with the reason."""


def held_out_text(
    settings: GeneralSettings, model: PreTrainedModel, tokenizer: Tokenizer, facts: Sequence[Fact]
) -> TextPass:
    """Return the pass over held-out text; passages that name the subject of one of the facts are excluded.

    Raises `NoTextError` when no text was asked for, or none is left that the tokenizer knows, and `DataError`
    for text that cannot be read.
    """
    if settings.text == NO_TEXT:
        raise NoTextError("general.text is none, so there is no text to measure perplexity on; name some")
    window = min(settings.window, window_of(model) or settings.window)
    passages = held_out_passages(
        settings.text, facts, max(1, int(window * WORDS_OF_A_TOKEN)), settings.text_key, "general.text"
    )
    found = TextPass(tokenizer, passages, settings.n_tokens, window)
    if not found.n_tokens:
        raise NoTextError(
            f"general.text: '{settings.text}' has no passage of prose that names none of the facts' subjects;"
            " name other text"
        )
    if found.n_unknown > MOST_UNKNOWN * found.n_tokens:
        raise NoTextError(
            f"general.text: {found.n_unknown / found.n_tokens:.0%} of the tokens of '{settings.text}' are"
            " unknown to the tokenizer; name text in words that the model was trained on"
        )
    return found


class GeneralUtility:
    """What is measured of a model beside facts, prepared once for the models or steps that it is run on.

    ``facts`` are all that are evaluated. Perplexity is exp of the mean −log p of a token over passages that
    name no subject of a fact to forget; degenerate are answers about other facts, and to open prompts.
    Raises `MissingExtraError` or `ConfigError` for tasks of lm-eval that cannot be run.
    """

    def __init__(
        self,
        settings: GeneralSettings,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        facts: Sequence[Fact],
        prompts: PromptFormat = PROMPTS,
        precision: Precision = "fp32",
    ) -> None:
        self._settings, self._prompts, self._precision = settings, prompts, precision
        self._encoder = Encoder.of(tokenizer)
        self._forget = {fact.fact_id for fact in facts if fact.role == "forget"}
        self._subjects = [fact for fact in facts if fact.role in (None, "forget")]
        self._model = model
        self._no_text: NoTextError | None = None
        if settings.when != "never" and settings.text != NO_TEXT:
            try:
                self.text  # noqa: B018  what cannot be read is found before any work
            except NoTextError as error:
                self._no_text = error
        if settings.lm_eval:
            from unequal.lm_eval_bridge.run import check_tasks

            check_tasks(settings.lm_eval)

    @cached_property
    def text(self) -> TextPass:
        """The pass over held-out text; raises `NoTextError` where there is none."""
        return held_out_text(self._settings, self._model, self._encoder, self._subjects)

    def around(self, evaluations: Evaluations, prefix: str = "") -> Evaluations:
        """Return a run's evaluations with general utility among their tables, at the steps of the settings.

        ``prefix`` stands before every prompt once the method has begun.
        """
        if self._settings.when == "never":
            return evaluations

        def measured(evaluate: Evaluate, before: str) -> Evaluate:
            return lambda model: self.added(model, evaluate(model), before)

        start, between, last = evaluations
        if self._settings.when == "steps":
            between = measured(between, prefix)
        return Evaluations(measured(start, ""), between, measured(last, prefix))

    def added(self, model: PreTrainedModel, tables: Tables, before: str = "") -> Tables:
        """Return a model's tables with its general utility, unless it is never to be measured."""
        if self._settings.when == "never":
            return tables
        return replace(tables, general=self.measure(model, tables.generations, before))

    def measure(
        self, model: PreTrainedModel, generations: pl.DataFrame | None = None, before: str = ""
    ) -> pl.DataFrame:
        """Return one row a measure for a model as it is now; it is put into evaluation mode.

        ``generations`` is its table of generated answers, ``before`` a text that stands before every prompt.
        """
        model.eval()
        with computing_in(self._precision, model.device):
            rows = [
                *self._of_text(model),
                *self._of_answers(generations),
                *self._of_open_prompts(model, before),
                *self._of_tasks(model),
            ]
        return pl.DataFrame(rows, schema=GENERAL_SCHEMA)

    def _of_text(self, model: PreTrainedModel) -> Iterator[dict[str, Any]]:
        if self._settings.text == NO_TEXT:
            return
        if self._no_text:
            yield _row("text", PERPLEXITY, self._settings.text, None, 0, reason=str(self._no_text))
            return
        score = self.text.run(model)
        yield _row("text", PERPLEXITY, self._settings.text, score.perplexity, score.n_tokens)
        yield _row("text", BITS, self._settings.text, score.bits_per_byte, score.n_tokens)

    def _of_answers(self, generations: pl.DataFrame | None) -> Iterator[dict[str, Any]]:
        if generations is not None:
            texts = generations.filter(~pl.col("fact_id").is_in(self._forget))["generation"].to_list()
            yield from _degenerate("answers", texts)

    def _of_open_prompts(self, model: PreTrainedModel, before: str) -> Iterator[dict[str, Any]]:
        how = self._prompts
        chat = Chat(how.system) if how.chat else None  # solved examples would ask for short answers
        probes = [
            Probe(
                f"open-{place}", "question", 0, before + how.ask(question), "", ("",), (), chat,
                stops=how.stops(plain=not how.chat), extra_tokens=N_TOKENS,
            )
            for place, question in enumerate(OPEN_PROMPTS[: self._settings.n_open_prompts])
        ]  # fmt: skip
        yield from _degenerate("open prompts", generate(model, self._encoder, probes) if probes else [])

    def _of_tasks(self, model: PreTrainedModel) -> Iterator[dict[str, Any]]:
        if not self._settings.lm_eval:
            return
        from unequal.lm_eval_bridge.run import run_tasks

        found = run_tasks(model, self._encoder.tokenizer, self._settings.lm_eval)
        for one in found.iter_rows(named=True):
            which = "" if one["filter"] == "none" else f" ({one['filter']})"
            yield _row(
                "task", f"{one['metric']}{which}", one["task"], one["value"], one["n"],
                higher_is_better=one["higher_is_better"], standard_error=one["standard_error"],
            )  # fmt: skip


def _degenerate(of: str, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the row of the share of texts that say nothing or the same over and over, if there are texts."""
    if texts:
        yield _row("generation", DEGENERATE, of, mean(map(_is_degenerate, texts)), len(texts))


def _is_degenerate(text: str) -> float:
    return degenerate(ProbeRecord(_ANY, generation=text))


_ANY = Probe("", "question", 0, "", "", (), ())


def _row(
    kind: str, measure: str, of: str, value: float | None, n: int | None, higher_is_better: bool = False,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    row = {"kind": kind, "measure": measure, "of": of, "value": value, "n": n}
    return row | {"higher_is_better": higher_is_better} | more
