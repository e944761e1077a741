"""Ridge classifier: regularised least squares in closed form, one column a class.

With its leave-one-out predictions, which cost nothing extra, strength and layer are chosen on the training
subjects alone (Rifkin, Yeo and Poggio, 2003, regularised least-squares classification).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the penalty, relative to the mean squared length of a row


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier; ``held_out_accuracy`` is its leave-one-out accuracy on the training rows."""

    rows: Array  # (n, width), standardised
    weights: Array  # (n, classes), one of each training row
    centre: Array  # (width,)
    spread: Array  # (width,)
    prior: Array  # (classes,), share of each class
    classes: tuple[str, ...]
    held_out_accuracy: float

    def predict(self, inputs: Array) -> list[str]:
        """Return the likeliest class of each row of ``inputs`` ``(n, width)``."""
        scores = ((inputs - self.centre) / self.spread) @ self.rows.T @ self.weights + self.prior
        return [self.classes[index] for index in scores.argmax(1)]


def fit(inputs: Array, labels: Sequence[str]) -> Classifier:
    """Return the classifier ``(n, width)`` → labels with the strength that predicts rows left out best."""
    classes = tuple(sorted(set(labels)))
    centre, spread = inputs.mean(0), inputs.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    rows = (inputs - centre) / spread
    targets = np.array([[float(label == name) for name in classes] for label in labels])
    prior = targets.mean(0)
    products = rows @ rows.T
    values, vectors = np.linalg.eigh(products)
    right = targets.argmax(1)
    best: Classifier | None = None
    for strength in STRENGTHS:
        penalty = strength * max(products.trace() / len(labels), 1e-12)
        inverse = (vectors / (values.clip(0) + penalty)) @ vectors.T
        weights = inverse @ (targets - prior)
        left_out = targets - weights / inverse.diagonal()[:, None]
        accuracy = float((left_out.argmax(1) == right).mean())
        if best is None or accuracy > best.held_out_accuracy:
            best = Classifier(rows, weights, centre, spread, prior, classes, accuracy)
    assert best is not None  # noqa: S101  there are strengths
    return best
