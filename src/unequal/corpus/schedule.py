"""The exposure schedule: in which epochs a person is shown, with recency and spacing at equal totals."""

from itertools import pairwise
from random import Random

from unequal.corpus.assignment import Assignment
from unequal.corpus.settings import CorpusSettings
from unequal.seeds import random_stream


def times_shown(assigned: Assignment, settings: CorpusSettings) -> list[int]:
    """Return how often each epoch shows the person; the sum is the level times the epochs, whatever the rest.

    Early people are shown in the first epochs, late ones in the last. Spread people are shown in each epoch
    of theirs, massed ones in few, which lie one in each equal part of them, so that the mean place in
    training is that of spread people but for chance.
    """
    levels = assigned.factors
    n_epochs, n_shown = settings.epochs, settings.shown_epochs
    if settings.factors is None or not {"recency", "spacing"} & levels.keys():
        return [assigned.level] * n_epochs
    first = n_epochs - n_shown if levels.get("recency") == "late" else 0
    epochs = range(first, first + (n_shown if "recency" in levels else n_epochs))
    stream = random_stream(settings.seed, "schedule", assigned.person.person_id)
    if levels.get("spacing") == "massed":
        epochs_shown = _one_in_each_part(epochs, settings.factors.massed_epochs, stream)
    else:
        epochs_shown = list(epochs)
    each, left = divmod(assigned.level * n_epochs, len(epochs_shown))
    once_more = set(stream.sample(epochs_shown, left))
    shown = set(epochs_shown)
    return [each + (epoch in once_more) if epoch in shown else 0 for epoch in range(n_epochs)]


def _one_in_each_part(epochs: range, n_parts: int, stream: Random) -> list[int]:
    """Return a random epoch of each of so many parts of nearly equal length."""
    ends = [len(epochs) * part // n_parts for part in range(n_parts + 1)]
    return [epochs[stream.randrange(start, stop)] for start, stop in pairwise(ends)]
