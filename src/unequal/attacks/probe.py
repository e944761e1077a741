"""Linear probe: classifiers from hidden states to objects, tested on held-out subjects."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from unequal.attacks.attack import Attack, AttackContext
from unequal.attacks.evaluate import TAUGHT, TOO_LONG, Found, fits, question, rows
from unequal.attacks.ridge import Classifier, fit
from unequal.facts.schema import Fact
from unequal.seeds import random_stream

States = npt.NDArray[np.float64]  # (layers, facts, width)


class LinearProbe(Attack):
    """Learns, for each relation, the object from the state at the end of the question, and is tested on
    subjects held out. An attacker is taken to know the facts that are kept and a share of those to forget.

    The layer is the one whose probe predicts training subjects left out best. The control task gives each
    subject a random object (of those trained on): as subjects are split, its accuracy is what a probe reaches
    that knows how common each object is. Selectivity is accuracy less control accuracy, a fact's in −1, 0, 1.
    """

    title: ClassVar[str] = "Linear probe"
    shows: ClassVar[str] = "whether hidden states still hold what the model no longer says"
    source: ClassVar[str] = (
        "Alain and Bengio (2016), arXiv 1610.01644; control task: Hewitt and Liang (2019), arXiv 1909.03368"
    )
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "control_accuracy", "selectivity", "layer")

    kind: Literal["probe"] = "probe"
    share: float = Field(default=0.5, ge=0.0, lt=1.0, description="of the subjects to forget, trained on")

    @property
    def needs_kept(self) -> bool:
        """Without a share of the facts to forget there is nothing else to train on."""
        return self.share == 0

    def trained_on(self, context: AttackContext) -> frozenset[str]:
        """Return the ids of the facts to forget that an attacker is taken to know."""
        known = self._known(context)
        return frozenset(fact.fact_id for fact in context.forget if fact.subject in known)

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts that were trained on, or whose object was not, have no value."""
        known = self._known(context)
        found: dict[str, dict[str, Found]] = {}
        for relation in dict.fromkeys(fact.relation for fact in context.attacked):
            train = [f for f in context.kept if f.relation == relation]
            train += [f for f in context.forget if f.relation == relation and f.subject in known]
            test = [f for f in context.attacked if f.relation == relation and f not in train]
            found |= {fact.fact_id: dict.fromkeys(self.metrics, (None, TAUGHT)) for fact in train}
            found |= self._of_relation(context, train, test)
        return rows(self, context, found)

    def _known(self, context: AttackContext) -> set[str]:
        """Return the subjects to forget that an attacker is taken to know."""
        subjects = sorted({fact.subject for fact in context.forget})
        return set(random_stream(context.seed, "probe").sample(subjects, round(self.share * len(subjects))))

    def _of_relation(
        self, context: AttackContext, train: Sequence[Fact], test: Sequence[Fact]
    ) -> dict[str, dict[str, Found]]:
        """Return what the probe of one relation finds of the facts held out."""
        train = [fact for fact in train if fits(context, question(context, fact))]
        objects = [fact.object for fact in train]
        if len(set(objects)) < 2:
            return self._gaps(test, "the facts to train a probe on have fewer than two objects")
        unknown = [fact for fact in test if fact.object not in objects]
        long = [fact for fact in test if not fits(context, question(context, fact))]
        tested = [fact for fact in test if fact not in unknown and fact not in long]
        found = self._gaps(unknown, "no subject that the probe was trained on has this object")
        found |= self._gaps(long, TOO_LONG)
        if not tested:
            return found
        return found | self._measure(context, train, tested)

    def _measure(
        self, context: AttackContext, train: Sequence[Fact], test: Sequence[Fact]
    ) -> dict[str, dict[str, Found]]:
        """Return accuracy and control accuracy at the layer that the training facts choose."""
        n_train, objects = len(train), [fact.object for fact in train]
        states = self._states(context, [*train, *test])
        if not np.isfinite(states).all():
            return self._gaps(test, "a hidden state is not a number")
        probes = [fit(layer[:n_train], objects) for layer in states]
        layer = max(range(len(probes)), key=lambda index: (probes[index].held_out_accuracy, -index))
        known, asked = states[layer, :n_train], states[layer, n_train:]
        random_objects = [
            random_stream(context.seed, "control", f.subject).choice(objects) for f in [*train, *test]
        ]
        hits = _hits(probes[layer], asked, [fact.object for fact in test])
        control_hits = _hits(fit(known, random_objects[:n_train]), asked, random_objects[n_train:])
        found: dict[str, dict[str, Found]] = {}
        for fact, hit, control in zip(test, hits, control_hits, strict=True):
            values = (hit, control, hit - control, layer + 1.0)
            found[fact.fact_id] = {name: (v, None) for name, v in zip(self.metrics, values, strict=True)}
        return found

    def _gaps(self, facts: Sequence[Fact], reason: str) -> dict[str, dict[str, Found]]:
        return {fact.fact_id: dict.fromkeys(self.metrics, (None, reason)) for fact in facts}

    def _states(self, context: AttackContext, facts: Sequence[Fact]) -> States:
        from unequal.attacks.hidden_states import last_states
        from unequal.scoring.encoding import open_prompt

        prompts = [open_prompt(context.tokenizer, question(context, fact)).ids for fact in facts]
        states = last_states(context.model, prompts, int(context.tokenizer.pad_token_id))
        found: States = states.double().cpu().numpy()
        return found


def _hits(classifier: Classifier, inputs: npt.NDArray[np.float64], labels: Sequence[str]) -> list[float]:
    """Return 1 for each label that is predicted, 0 for the others."""
    return [float(found == label) for found, label in zip(classifier.predict(inputs), labels, strict=True)]
