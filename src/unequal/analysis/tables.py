"""The registry of analysis tables: each by its name, with the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import polars as pl

from unequal.analysis.agreement.contingency import agreement, both_views
from unequal.analysis.agreement.forgetting_order import signature
from unequal.analysis.agreement.formats import format_gaps
from unequal.analysis.agreement.hidden_knowledge import hidden_knowledge
from unequal.analysis.agreement.knowledge_tests import judgements
from unequal.analysis.agreement.leaks import hidden_leak, sampling_gap
from unequal.analysis.agreement.nulls import null_scores
from unequal.analysis.agreement.robustness import robustness
from unequal.analysis.agreement.spearman import spearman
from unequal.analysis.agreement.true_false import true_false_d_prime
from unequal.analysis.effects.area_between_levels import areas_between_levels
from unequal.analysis.effects.arm_levels import arm_levels
from unequal.analysis.effects.count_levels import count_groups, count_known, count_levels
from unequal.analysis.effects.curves import forgetting_curves
from unequal.analysis.effects.dose_response import COUNT, PLUS_ONE, dose_levels, dose_slopes
from unequal.analysis.effects.interactions import interactions
from unequal.analysis.effects.pooled import with_all_models
from unequal.analysis.effects.ratios import hazard_ratios, logistic_dose
from unequal.analysis.effects.steps_to_forget import steps_to_forget, survival_curves, survival_medians
from unequal.analysis.effects.weightings import weightings
from unequal.analysis.factors.levels import factor_levels
from unequal.analysis.factors.ranking import factor_effects
from unequal.analysis.known import comparable, known_before, level_inclusion
from unequal.analysis.observations import Observations
from unequal.analysis.outcomes import UTILITY_BUDGETS, at_budget, at_equal_steps
from unequal.analysis.sizes.slopes import size_effects
from unequal.analysis.sizes.trend import sizes
from unequal.analysis.stats.bootstrap import Resampler, make_resampler
from unequal.analysis.utility.cost import utility_cost
from unequal.analysis.utility.frontier import frontier
from unequal.analysis.utility.matched import at_equal_utility, matched_comparisons
from unequal.analysis.utility.retained import utility_curves, utility_rows, with_readings
from unequal.analysis.utility.two_views import utility_views


@dataclass(frozen=True)
class Inputs:
    """The frames that tables are computed from, each made once, when the first table needs it."""

    observations: Observations
    factors: pl.DataFrame | None
    seed: int
    draws: int

    @cached_property
    def resampler(self) -> Resampler:
        """The bootstrap draws over people and seeds, with where each reads a run at equal utility."""
        people, seeds = (self.observations.scores[name].unique() for name in ("person", "seed_cluster"))
        resampler = make_resampler(people.to_list(), seeds.to_list(), self.seed, self.draws)
        return with_readings(resampler, self.utility, {at_budget(one): one for one in UTILITY_BUDGETS})

    @cached_property
    def utility(self) -> pl.DataFrame:
        """Facts never unlearned, now and at step 0."""
        return utility_rows(self.observations)

    @cached_property
    def levels(self) -> pl.DataFrame:
        """Levels of exposure, and whether they are compared."""
        return level_inclusion(self.observations)

    @cached_property
    def forget(self) -> pl.DataFrame:
        """Facts to forget that were known before, of compared levels."""
        return comparable(self.observations.forget, self.levels)

    @cached_property
    def outcomes(self) -> pl.DataFrame:
        """The forgotten share of each run and fact, at equal steps and at equal utility."""
        return self._outcomes(self.forget)

    @cached_property
    def counted(self) -> pl.DataFrame:
        """The same of facts with natural counts."""
        facts = self.observations.forget.filter(pl.col("known") & pl.col("count").is_not_null())
        return self._outcomes(facts)

    @cached_property
    def views(self) -> pl.DataFrame:
        """Facts by generation and by probability."""
        return both_views(self.observations)

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """Facts by every knowledge test, plainly and after attacks."""
        return judgements(self.observations)

    @cached_property
    def times(self) -> pl.DataFrame:
        """Steps to forget, censored at the last one."""
        return steps_to_forget(self.forget)

    @cached_property
    def curves(self) -> pl.DataFrame:
        """Every metric by step."""
        return self.by_model(forgetting_curves, self.observations)

    @cached_property
    def utility_kept(self) -> pl.DataFrame:
        """Utility kept by step."""
        return self.by_model(utility_curves, self.utility)

    @cached_property
    def sizes(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The disagreement by model size, and its slopes."""
        return sizes(self.views, self.observations, self.resampler)

    def by_model(
        self, table_of: Callable[..., pl.DataFrame], *sources: pl.DataFrame | Observations
    ) -> pl.DataFrame:
        """Return a table of each model, and of all models as one."""
        return with_all_models(partial(table_of, resampler=self.resampler), *sources)

    def _outcomes(self, facts: pl.DataFrame) -> pl.DataFrame:
        readings = [at_equal_utility(facts, self.utility, budget) for budget in UTILITY_BUDGETS]
        return pl.concat([at_equal_steps(facts), *readings])


def _effects(of: Inputs) -> pl.DataFrame:
    by_exposure = dose_slopes(of.outcomes, of.resampler, PLUS_ONE)
    return pl.concat([by_exposure, dose_slopes(of.counted, of.resampler, COUNT)])


def _count_levels(of: Inputs) -> pl.DataFrame:
    return of.by_model(partial(count_levels, groups=count_groups(of.observations.forget)), of.counted)


def _weightings(of: Inputs) -> pl.DataFrame:
    outcomes = of.outcomes if of.outcomes.height else of.counted
    return weightings(outcomes, of.observations.runs, of.resampler)


TABLES: dict[str, Callable[[Inputs], pl.DataFrame]] = {
    "runs": lambda of: of.observations.runs,
    "known": lambda of: of.by_model(known_before, of.observations),
    "levels": lambda of: of.levels,
    "curves": lambda of: of.curves,
    "utility": lambda of: of.utility_kept,
    "dose": lambda of: dose_levels(of.outcomes, of.resampler),
    "slopes": lambda of: dose_slopes(of.outcomes, of.resampler),
    "effects": _effects,
    "count_known": lambda of: of.by_model(count_known, of.observations),
    "count_levels": _count_levels,
    "interactions": lambda of: interactions(of.outcomes, of.observations.runs, of.resampler),
    "arm_levels": lambda of: arm_levels(of.outcomes, of.observations.runs, of.resampler),
    "matched": lambda of: matched_comparisons(of.outcomes, of.forget, of.utility, of.resampler),
    "areas": lambda of: areas_between_levels(of.forget, of.resampler),
    "logistic": lambda of: logistic_dose(of.outcomes),
    "survival": lambda of: of.by_model(survival_medians, of.times),
    "survival_curves": lambda of: of.by_model(survival_curves, of.times),
    "hazards": lambda of: hazard_ratios(of.times, of.forget),
    "frontier": lambda of: frontier(of.curves, of.utility_kept),
    "agreement": lambda of: of.by_model(agreement, of.views),
    "hidden": lambda of: hidden_knowledge(of.views, of.resampler),
    "spearman": lambda of: of.by_model(spearman, of.observations),
    "signature": lambda of: of.by_model(signature, of.judgements),
    "hidden_leak": lambda of: of.by_model(hidden_leak, of.observations),
    "sampling_gap": lambda of: of.by_model(sampling_gap, of.observations, of.judgements),
    "sizes": lambda of: of.sizes[0],
    "size_trends": lambda of: of.sizes[1],
    "size_effects": lambda of: size_effects(of.observations, of.utility, of.resampler),
    "utility_views": lambda of: utility_views(of.observations, of.resampler),
    "robustness": lambda of: of.by_model(robustness, of.observations, of.judgements),
    "formats": lambda of: format_gaps(of.observations, of.resampler),
    "true_false": lambda of: of.by_model(true_false_d_prime, of.observations),
    "cost": lambda of: utility_cost(of.forget, of.utility, of.resampler),
    "weightings": _weightings,
    "factors": lambda of: factor_effects(of.outcomes, of.observations, of.factors, of.resampler),
    "factor_levels": lambda of: factor_levels(of.outcomes, of.observations, of.factors, of.resampler),
    "nulls": lambda of: null_scores(of.observations, of.views, of.resampler),
    "missing": lambda of: of.observations.missing,
}
"""Every table of ``analysis/``: a new one is a line here."""
