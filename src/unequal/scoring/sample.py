"""The sampling pass: several sampled continuations of a prompt that is encoded once."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.config import build
from unequal.facts.probes import Probe
from unequal.models.distributed import run_distributed
from unequal.models.fsdp import without_gradients
from unequal.oom import current_batch_size
from unequal.scoring.decode import Batches, Choice, Decoding, Rows, continue_rows
from unequal.scoring.encoding import Encoder, Tokenizer, open_prompt
from unequal.scoring.ending import Stopper, end_tokens
from unequal.scoring.settings import SampleSettings
from unequal.seeds import random_stream

BATCH_SIZE = 256  # rows decoded at once


class SamplePass:
    """Tokenised prompts, to be continued ``n`` times each while a model changes.

    The chance of each token of each sample is drawn beforehand, from the seed, the probe and the sample's
    number: a sample depends on neither batch, nor other probes, nor how many samples there are. Raises
    `ConfigError` unless ``n`` is at least 1, the temperature at least 0 and ``top_p`` in (0, 1].
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        probes: Sequence[Probe],
        n: int,
        temperature: float,
        top_p: float,
        seed: int,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._settings = _settings(n, temperature, top_p)
        encoder = Encoder.of(tokenizer)
        self._tokenizer = encoder.tokenizer
        self._batch_size = current_batch_size(batch_size)
        self._prompts = [open_prompt(encoder, probe) for probe in probes]
        self._chances = [
            torch.tensor(
                [_chances(seed, probe, sample, prompt.limit) for sample in range(n)], dtype=torch.float64
            )
            for probe, prompt in zip(probes, self._prompts, strict=True)
        ]
        self._batches = Batches(self._prompts, batch_size)

    def run(self, model: PreTrainedModel) -> list[list[str]]:
        """Return ``n`` continuations of each probe's prompt, in order, each no longer than a greedy one."""
        (texts,) = self.run_grid(model, [(self._settings.temperature, self._settings.top_p)])
        return texts

    def run_grid(
        self, model: PreTrainedModel, points: Sequence[tuple[float, float]]
    ) -> list[list[list[str]]]:
        """Return the continuations for each ``(temperature, top_p)``; each prompt is read once for all.

        All points share the drawn chances, so that they differ by the distribution alone.
        """
        settings = [_settings(self._settings.n, *point) for point in points]
        of_model = end_tokens(model)

        def continued(batch: Rows) -> dict[int, list[list[str]]]:
            indices = batch.indices
            read = Decoding(model, batch)
            of_points = [self._continue(read, indices, setting, of_model) for setting in settings]
            return {index: [texts[index] for texts in of_points] for index in indices}

        with without_gradients(model):
            found = run_distributed(model, self._batches.of(model), continued)
        return [[found[index][point] for index in range(len(self._prompts))] for point in range(len(points))]

    def _continue(
        self, read: Decoding, indices: Sequence[int], settings: SampleSettings, of_model: frozenset[int]
    ) -> dict[int, list[str]]:
        """Return the samples of the prompts that were read; greedy ones are all the same."""
        ends = self._prompts[indices[0]].ends | of_model
        stopper = Stopper(self._tokenizer, self._prompts[indices[0]].stops)
        texts: dict[int, list[str]] = {index: [] for index in indices}
        n_different = settings.n if settings.temperature else 1
        pairs = [(row, sample) for row in range(len(indices)) for sample in range(n_different)]
        for start in range(0, len(pairs), self._batch_size):
            chunk = pairs[start : start + self._batch_size]
            rows = torch.tensor([row for row, _ in chunk], device=read.logits.device)
            limits = [self._prompts[indices[row]].limit for row, _ in chunk]
            chances = [self._chances[indices[row]][sample] for row, sample in chunk]
            choose = sampler(torch.nn.utils.rnn.pad_sequence(chances, batch_first=True), settings)
            found = continue_rows(read.copy(rows), limits, ends, choose, stopper)
            for (row, _), ids in zip(chunk, found, strict=True):
                texts[indices[row]] += [stopper.text(ids)] * (settings.n // n_different)
        return texts


def sampler(chances: Tensor, settings: SampleSettings) -> Choice:
    """Return a choice by the inverse of the distribution function at ``chances`` ``(rows, steps)``."""

    def choose(logits: Tensor, rows: Tensor, step: int) -> Tensor:
        if settings.temperature == 0:
            return logits.argmax(-1)
        mass = nucleus((logits.double() / settings.temperature).softmax(-1), settings.top_p).cumsum(-1)
        total = mass[:, -1:]
        place = chances.to(logits.device)[rows, step, None] * total
        below_total = torch.minimum(place, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(mass, below_total, right=True).squeeze(1)

    return choose


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Return the probabilities ``(n, vocab)``, zero outside the smallest set that has at least ``top_p``."""
    if top_p == 1.0:
        return probabilities
    ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
    before = torch.nn.functional.pad(ordered.cumsum(-1)[:, :-1], (1, 0))
    is_outside = before >= top_p
    return probabilities.masked_fill(is_outside.scatter(-1, places, is_outside), 0.0)


def _settings(n: int, temperature: float, top_p: float) -> SampleSettings:
    return build(SampleSettings, {"n": n, "temperature": temperature, "top_p": top_p}, "sampling")


def _chances(seed: int, probe: Probe, sample: int, n_steps: int) -> list[float]:
    stream = random_stream(seed, "sample", probe.fact_id, probe.kind, probe.variant, sample)
    return [stream.random() for _ in range(n_steps)]
