"""Cluster bootstrap over people and seeds: statistics as functions of weighted sums over their cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.seeds import derive_seed

Array = NDArray[np.float64]

LEVEL = 0.95
UNDEFINED_SHARE = 0.05  # more undefined draws than this, and no interval is given
GROUPS_AT_ONCE = 256  # bounds the memory of the cell table
FORGOTTEN, PATH = "forgotten", "forgotten_path"


@dataclass(frozen=True)
class Resampler:
    """Weights of every person and every seed cluster in every draw; row 0 is the sample itself (all ones).

    Rescaled draws (Rao and Wu 1988): n − 1 of n clusters with replacement, weighted n/(n − 1), so that the
    variance of a mean is unbiased also with two or three seeds. A draw's weight of a row is the product of
    its person's and its seed's weight (Owen 2007, the pigeonhole bootstrap), which errs on the wide side.
    ``readings`` says, by comparison and run, at which place each draw reads the run, (1 + draws,), counted in
    evaluated steps from 0; a run that is not in it is read at the same place in every draw.
    """

    people: dict[str, int]
    seeds: dict[str, int]
    person_weights: Array  # (1 + draws, people)
    seed_weights: Array  # (1 + draws, seeds)
    readings: Mapping[tuple[str, str], Array] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """Return the number of draws, the sample itself not counted."""
        return len(self.person_weights) - 1

    def row_weights(self, frame: pl.DataFrame) -> Array:
        """Return each row's weight in the sample and in every draw, shape (1 + draws, rows)."""
        person = _codes(frame["person"], self.people)
        seed = _codes(frame["seed_cluster"], self.seeds)
        return self.person_weights[:, person] * self.seed_weights[:, seed]

    def sums(
        self,
        frame: pl.DataFrame,
        groups: NDArray[np.int64],
        values: Array,
        n_groups: int,
        by_seed: bool = True,
    ) -> Array:
        """Return weighted sums of shape (1 + draws, groups, values); row 0 holds the plain sums.

        ``frame`` gives each row's ``person`` and ``seed_cluster``; with ``by_seed=False`` only people are
        resampled.
        """
        columns = values.shape[1]
        out = np.zeros((self.draws + 1, n_groups, columns))
        if frame.is_empty():
            return out
        person = _codes(frame["person"], self.people)
        seed = _codes(frame["seed_cluster"], self.seeds)
        for start in range(0, n_groups, GROUPS_AT_ONCE):
            stop = min(start + GROUPS_AT_ONCE, n_groups)
            rows = np.flatnonzero((groups >= start) & (groups < stop))
            block = self._block(
                person[rows], seed[rows], groups[rows] - start, values[rows], stop - start, by_seed
            )
            out[:, start:stop] = block
        return out

    def sums_as_read(
        self,
        frame: pl.DataFrame,
        groups: NDArray[np.int64],
        values: Array,
        gains: Array,
        n_groups: int,
        by_seed: bool = True,
    ) -> Array:
        """Return sums as `sums` does, but each draw reads a run where its own people put it (`readings`).

        ``gains`` (rows, values) says how much each value grows with the row's ``forgotten``, which draws
        read off its ``forgotten_path``, linear between evaluated steps.
        """
        out = self.sums(frame, groups, values, n_groups, by_seed)
        if not self.readings or PATH not in frame.columns or not gains.any():
            return out
        numbered = frame.select("comparison", "run_id", FORGOTTEN, PATH).with_row_index("row")
        for key, part in numbered.group_by("comparison", "run_id", maintain_order=True):
            places = self.readings.get((str(key[0]), str(key[1])))
            if places is None or part[PATH].is_null().any():
                continue
            path = np.array(part[PATH].to_list(), dtype=np.float64) - part[FORGOTTEN].to_numpy()[:, None]
            hats = np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(path.shape[1])))
            read = np.flatnonzero(hats.any(axis=0))
            rows = part["row"].to_numpy()
            present, local = np.unique(groups[rows], return_inverse=True)
            moves = gains[rows][:, None, :] * path[:, read, None]
            moved = self.sums(frame[rows], local, moves.reshape(len(rows), -1), len(present), by_seed)
            moved = moved.reshape(*moved.shape[:2], len(read), -1)
            out[:, present] += np.einsum("dk,dgkv->dgv", hats[:, read], moved)
        return out

    def _block(
        self,
        person: NDArray[np.int64],
        seed: NDArray[np.int64],
        group: NDArray[np.int64],
        values: Array,
        n_groups: int,
        by_seed: bool,
    ) -> Array:
        out = np.zeros((self.draws + 1, n_groups * values.shape[1]))
        for one_seed in np.unique(seed):
            rows = np.flatnonzero(seed == one_seed)
            present, local = np.unique(person[rows], return_inverse=True)
            cell = local * n_groups + group[rows]
            size = len(present) * n_groups
            cells = np.stack([np.bincount(cell, column[rows], size) for column in values.T], axis=-1)
            part = self.person_weights[:, present] @ cells.reshape(len(present), -1)
            out += part * self.seed_weights[:, [one_seed]] if by_seed else part
        return out.reshape(self.draws + 1, n_groups, values.shape[1])


def make_resampler(people: Sequence[str], seeds: Sequence[str], seed: int, draws: int) -> Resampler:
    """Return the weights of ``draws`` bootstrap draws over the distinct people and seed clusters."""
    people, seeds = sorted(set(people)), sorted(set(seeds))
    return Resampler(
        people={name: index for index, name in enumerate(people)},
        seeds={name: index for index, name in enumerate(seeds)},
        person_weights=_weights(len(people), draws, derive_seed(seed, "analysis", "people")),
        seed_weights=_weights(len(seeds), draws, derive_seed(seed, "analysis", "seeds")),
    )


def _weights(n: int, draws: int, seed: int) -> Array:
    if n < 2:
        return np.ones((draws + 1, n))
    counts = np.random.default_rng(seed).multinomial(n - 1, np.full(n, 1 / n), size=draws)
    return np.vstack([np.ones(n), counts * (n / (n - 1))])


def _codes(labels: pl.Series, index: dict[str, int]) -> NDArray[np.int64]:
    return labels.replace_strict(index, return_dtype=pl.Int64).to_numpy()


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return numerator / denominator elementwise; NaN where the denominator is not above zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            denominator > 1e-12, numerator / np.where(denominator > 1e-12, denominator, 1.0), np.nan
        )


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% percentile interval and two-sided bootstrap p against zero; None says why in
    reason."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str | None = None


def interval(samples: Array) -> Interval:
    """Return the estimate (row 0) of shape (1 + draws,) with the percentile interval of the other rows."""
    value, draws = float(samples[0]), samples[1:]
    if not np.isfinite(value):
        return Interval(None, None, None, None, "the estimate is undefined for these data")
    finite = draws[np.isfinite(draws)]
    if len(finite) < max(2, (1 - UNDEFINED_SHARE) * len(draws)):
        share = 1 - len(finite) / max(len(draws), 1)
        return Interval(value, None, None, None, f"undefined in {share:.0%} of the bootstrap draws")
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    tail = min((finite <= 0).sum(), (finite >= 0).sum())
    return Interval(value, float(low), float(high), float(min(1.0, 2 * (tail + 1) / (len(finite) + 1))))


def open_interval(samples: Array) -> list[float | None]:
    """Return value, low and high as `interval`, of samples that may be infinite; None beyond all steps.

    The ends are values of the draws, so that none lies between a finite value and infinity.
    """
    draws = samples[1:][~np.isnan(samples[1:])]
    ends = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return [float(one) if np.isfinite(one) else None for one in (samples[0], *ends)]


def group_intervals(samples: Array, reason: str = "undefined for these facts") -> pl.DataFrame:
    """Return ``value, low, high, reason`` for each group of samples of shape (1 + draws, groups)."""
    draws = samples[1:]
    finite = np.isfinite(draws)
    low, high = np.quantile(np.where(finite, draws, 0.0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    ragged = ~finite.all(axis=0)
    for group in np.flatnonzero(ragged):
        one = interval(samples[:, group])
        low[group] = np.nan if one.low is None else one.low
        high[group] = np.nan if one.high is None else one.high
    undefined = ~np.isfinite(samples[0])
    low[undefined] = high[undefined] = np.nan
    reasons = np.where(
        undefined, reason, np.where(np.isfinite(low), "", "undefined in too many bootstrap draws")
    )
    frame = pl.DataFrame({"value": samples[0], "low": low, "high": high, "reason": reasons.astype(str)})
    return frame.with_columns(
        pl.col("value", "low", "high").fill_nan(None),
        pl.when(pl.col("reason") != "").then(pl.col("reason")).alias("reason"),
    )


def named_intervals(samples: Array, name: str, reason: str = "undefined for these facts") -> pl.DataFrame:
    """Return ``name, name_low, name_high, reason`` for each group of samples, as `group_intervals` does."""
    return with_name(group_intervals(samples, reason), name)


def with_name(found: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the columns of an estimate as ``name``, ``name_low`` and ``name_high``."""
    return found.rename({"value": name, "low": f"{name}_low", "high": f"{name}_high"})


def index_groups(frame: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return one row per group, sorted by the keys and with its sample sizes, and each row's group number."""
    table = (
        frame.group_by(keys)
        .agg(
            pl.col("fact_id").n_unique().alias("n_facts"),
            pl.col("person").n_unique().alias("n_people"),
            pl.col("seed_cluster").n_unique().alias("n_seeds"),
        )
        .sort(keys, nulls_last=True)
    )
    numbered = table.select(keys).with_row_index("group number")
    joined = frame.select(keys).join(numbered, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return table, joined["group number"].cast(pl.Int64).to_numpy()


def gains_of(value: str, n_rows: int) -> Array:
    """Return by how much a value and a count of rows grow with ``forgotten``, (rows, 2)."""
    return np.tile([float(value == FORGOTTEN), 0.0], (n_rows, 1))


def grouped_ratio(
    resampler: Resampler,
    frame: pl.DataFrame,
    keys: Sequence[str],
    value: str,
    base: str | None = None,
    by_seed: bool = True,
) -> pl.DataFrame:
    """Return per group Σ value / Σ base (the mean when base is None) with its 95% interval and sample
    sizes."""
    table, groups = index_groups(frame, keys)
    denominator = frame[base].to_numpy() if base else np.ones(frame.height)
    values = np.stack([frame[value].to_numpy(), denominator], axis=1).astype(np.float64)
    gains = gains_of(value, frame.height)
    if gains.any():
        sums = resampler.sums_as_read(frame, groups, values, gains, table.height, by_seed)
        found = [group_intervals(ratio(sums[..., 0], sums[..., 1]))]
    else:
        found = list(_intervals_by_block(resampler, frame, groups, values, table.height, by_seed))
    return pl.concat([table, pl.concat(found)], how="horizontal")


def _intervals_by_block(
    resampler: Resampler,
    frame: pl.DataFrame,
    groups: NDArray[np.int64],
    values: Array,
    n_groups: int,
    by_seed: bool,
) -> Iterator[pl.DataFrame]:
    """Yield the intervals of some groups after the other, so that memory holds the draws of few at a time."""
    clusters = frame.select("person", "seed_cluster")
    order = np.argsort(groups, kind="stable")
    starts = range(0, max(1, n_groups), GROUPS_AT_ONCE)
    ends = np.searchsorted(groups[order], [*starts[1:], n_groups])
    for start, rows in zip(starts, np.split(order, ends[:-1]), strict=True):
        number = min(GROUPS_AT_ONCE, n_groups - start)
        sums = resampler.sums(clusters[rows], groups[rows] - start, values[rows], number, by_seed)
        yield group_intervals(ratio(sums[..., 0], sums[..., 1]))


def aligned_means(
    resampler: Resampler,
    frame: pl.DataFrame,
    keys: Sequence[str],
    value: str,
    table: pl.DataFrame,
    weight: str | None = None,
) -> Array:
    """Return the (weighted) mean of a column in the group of each row of ``table``, shape (1 + draws, rows).

    NaN where the frame has no such group.
    """
    places, groups = index_groups(frame, keys)
    counts = frame[weight].to_numpy() if weight else np.ones(frame.height)
    values = np.stack([frame[value].to_numpy() * counts, counts], axis=1).astype(np.float64)
    gains = gains_of(value, frame.height) * counts[:, None]
    sums = resampler.sums_as_read(frame, groups, values, gains, places.height)
    means = ratio(sums[..., 0], sums[..., 1])
    means = np.hstack([means, np.full((resampler.draws + 1, 1), np.nan)])  # the last: no such group
    numbered = places.select(keys).with_row_index("place")
    at = table.select(keys).join(numbered, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return means[:, at["place"].fill_null(places.height).to_numpy()]


def without_values(frame: pl.DataFrame, keys: Sequence[str], reason: str) -> pl.DataFrame:
    """Return the groups of a frame with their sample sizes, no value, and the reason why there is none."""
    nothing = [pl.lit(None, pl.Float64).alias(name) for name in ("value", "low", "high")]
    return index_groups(frame, keys)[0].with_columns(*nothing, pl.lit(reason).alias("reason"))


def with_pooled(frame: pl.DataFrame, column: str = "exposure") -> pl.DataFrame:
    """Return the rows twice: as they are, and with the column null, for estimates over all of its values."""
    return pl.concat([frame, frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))])
