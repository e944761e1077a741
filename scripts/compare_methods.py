"""Every method on one model at one exposure level, each tuned alike, within a utility budget.

The plans, fixed before they were run, are in docs/research-log.md. With seed 0 each method's rate is found
by the search of `unequal tune` (13 trials) or with ``--grid`` by 9 runs of all steps. Runs with seeds 1, 2
and 3 and that rate forget all facts of one exposure level and are judged at steps 0, 1, 2, 5, 10 and 20; of
the steps within the budget that with the least answer probability is taken. Reported: the share of the
starting answer probability that is gone, and the share of right answers that is, each with a 95% interval
from 2,000 draws of people and seeds.

    python scripts/compare_methods.py --model DIR --facts corpus/facts.parquet --level 8 --out methods.json
"""

import argparse
import copy
import json
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SKIPPED = {"icu": "changes prompts only"}
SEEDS = (1, 2, 3)
STEPS = 20
BUDGET = 0.1
DRAWS = 2000


@dataclass(frozen=True)
class Asked:
    """What a worker needs; with ``grid`` every rate gets all steps."""

    model: str
    facts: Path
    level: int
    grid: bool


def compare(asked: Asked, kind: str) -> dict[str, Any]:
    """Return the rate and the outcome of one method."""
    from unequal.errors import UserError
    from unequal.unlearning.search import SearchSettings, search

    bench = Bench(asked)
    try:
        settings = SearchSettings(utility_drop=BUDGET, keep=0.01 if asked.grid else 1 / 3)
        trials = list(search(settings, STEPS, lambda rate, steps: bench.trial(kind, rate, steps, 0)[0]))
        whole = [trial for _, trial in trials if trial.steps == STEPS]
        rate = max(whole, key=lambda trial: (trial.forgetting(BUDGET), -trial.rate)).rate
        outcomes = [bench.outcome(kind, rate, seed) for seed in SEEDS]
    except UserError as error:
        return {"method": kind, "failed": str(error)}
    return {"method": kind, "rate": rate, "trials": len(trials), **bench.summary(outcomes)}


class Bench:
    """A model, its facts, and how it is judged."""

    def __init__(self, asked: Asked) -> None:
        import torch

        from unequal.facts.probes import ProbeMaker, PromptFormat
        from unequal.facts.table import read_facts
        from unequal.models.load import load_model, load_tokenizer
        from unequal.unlearning.examples import FactEncoder

        torch.set_num_threads(1)
        facts = read_facts(asked.facts)
        by_role = defaultdict(list)
        for fact in facts:
            by_role[fact.role].append(fact)
        self.prompts = PromptFormat(question="{question}", true_false="True or false: {statement}")
        self.forget = [f for f in by_role["forget"] if (f.model_extra or {}).get("level") == asked.level]
        self.retain, self.utility = by_role["retain"], by_role["utility"]
        self.model, self.tokenizer = load_model(asked.model), load_tokenizer(asked.model)
        maker = ProbeMaker(facts, self.prompts, 1)
        self.probes = [maker.probes(fact, ["question"])[0] for fact in self.forget]
        encoder = FactEncoder(self.tokenizer, self.prompts)
        self.examples = tuple(encoder.own_answers(group) for group in (self.forget, self.utility))

    def trial(self, kind: str, rate: float, steps: int, seed: int) -> tuple[Any, list[Any], list[Any]]:
        """Return a run's looks, and each look's probabilities and right answers of the facts to forget."""
        from unequal.errors import DivergedError
        from unequal.scoring.generate import generate
        from unequal.unlearning.examples import answer_probabilities
        from unequal.unlearning.methods import METHODS
        from unequal.unlearning.run import Run
        from unequal.unlearning.search import Look, Trial
        from unequal.unlearning.settings import UnlearnSettings
        from unequal.unlearning.unlearn import unlearn

        method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": rate})
        looks, probabilities, right = [], [], []
        padding = int(self.tokenizer.pad_token_id)

        def evaluate(model: Any, step: int, _last: bool) -> None:
            forget, utility = (answer_probabilities(model, one, padding) for one in self.examples)
            looks.append(Look(step, forget.mean().item(), utility.mean().item()))
            probabilities.append(forget.numpy())
            if seed:
                texts = generate(model, self.tokenizer, self.probes)
                answers = zip(texts, self.forget, strict=True)
                right.append(np.array([text.strip() == fact.answer for text, fact in answers], dtype=float))

        settings = UnlearnSettings(steps=steps, batch_size=36)
        retain = self.retain if method.retain_weight or method.dual else []
        run = Run(
            copy.deepcopy(self.model), self.tokenizer, method, self.forget, retain, settings, self.prompts,
            seed, evaluate=evaluate,
        )  # fmt: skip
        diverged = False
        try:
            unlearn(run)
        except DivergedError:
            diverged = True
        return Trial(rate, steps, tuple(looks), diverged), probabilities, right

    def outcome(self, kind: str, rate: float, seed: int) -> dict[str, Any]:
        """Return a run's best look within the budget, fact by fact."""
        trial, probabilities, right = self.trial(kind, rate, STEPS, seed)
        best = trial.best(BUDGET)
        at = trial.looks.index(best)
        kept = best.utility / trial.looks[0].utility
        return {
            "step": best.step,
            "kept": kept,
            "before": (probabilities[0], right[0]),
            "after": (probabilities[at], right[at]),
        }

    def summary(self, outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the two shares with their intervals, over people and seeds."""
        people = sorted({fact.subject for fact in self.forget})
        of = np.array([people.index(fact.subject) for fact in self.forget])

        def by_person(name: str, index: int) -> np.ndarray:
            return np.stack([np.bincount(of, one[name][index], len(people)) for one in outcomes])

        shares = {}
        generator = np.random.default_rng(0)
        n_seeds, n_people = len(outcomes), len(people)
        picks = [
            (generator.integers(n_seeds, size=n_seeds), generator.integers(n_people, size=n_people))
            for _ in range(DRAWS)
        ]
        for index, name in enumerate(("probability_gone", "answers_gone")):
            before, after = by_person("before", index), by_person("after", index)
            drawn = [1 - after[np.ix_(s, p)].sum() / max(before[np.ix_(s, p)].sum(), 1e-9) for s, p in picks]
            low, high = np.quantile(drawn, [0.025, 0.975])
            shares[name] = [float(1 - after.sum() / before.sum()), float(low), float(high)]
        return {
            **shares,
            "steps": [one["step"] for one in outcomes],
            "utility_kept": float(np.mean([one["kept"] for one in outcomes])),
            "facts": len(self.forget),
            "known_before": float(outcomes[0]["before"][1].mean()),
        }


def main() -> None:
    """Compare, and write the results as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--facts", type=Path, required=True)
    parser.add_argument("--level", type=int, default=8)
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--grid", action="store_true", help="9 runs of all steps instead of the search")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    from unequal.manifest import manifest
    from unequal.unlearning.methods import METHODS

    kinds = arguments.methods or [kind for kind in METHODS if kind not in SKIPPED]
    asked = Asked(arguments.model, arguments.facts, arguments.level, arguments.grid)
    found = []
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        jobs = [(kind, pool.apply_async(compare, (asked, kind))) for kind in kinds]
        for _kind, job in jobs:
            found.append(job.get())
            print(json.dumps(found[-1]), flush=True)  # noqa: T201
            result = {
                "level": arguments.level,
                "grid": arguments.grid,
                "budget": BUDGET,
                "methods": found,
                **manifest(),
            }
            arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
