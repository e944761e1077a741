"""Facts in memory: a sequence that can be sampled, filtered and shown as a data frame."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import polars as pl

from unequal.errors import ConfigError
from unequal.facts.frame import facts_frame
from unequal.facts.schema import Fact
from unequal.facts.table import facts_of_rows
from unequal.facts.table import read_facts as read_table


class Facts(Sequence[Fact]):
    """A sequence of `Fact` in the order of their table; ``len``, indexing and slices work as for a list.

    ``rest`` has the facts of the table that a sample, filter or slice has left out: `unlearn`, `audit` and
    `forget` draw facts to retain and untouched ones from them.
    """

    def __init__(self, facts: Iterable[Fact], rest: Iterable[Fact] = ()) -> None:
        self._facts = tuple(facts)
        self.rest = tuple(rest)

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    @overload
    def __getitem__(self, index: int) -> Fact: ...
    @overload
    def __getitem__(self, index: slice) -> "Facts": ...
    def __getitem__(self, index: int | slice) -> "Fact | Facts":
        if isinstance(index, int):
            return self._facts[index]
        chosen = self._facts[index]
        return self._with_rest(chosen)

    def sample(self, n: int, seed: int = 0) -> "Facts":
        """Return ``n`` facts drawn at random without replacement, in the order of the table.

        Raises `ConfigError` for more than there are.
        """
        if not 0 <= n <= len(self):
            raise ConfigError(f"a sample of {n} facts: the table has {len(self)}")
        places = sorted(random.Random(seed).sample(range(len(self)), n))
        return self._with_rest([self._facts[place] for place in places])

    def filter(self, keep: Callable[[Fact], bool]) -> "Facts":
        """Return the facts for which ``keep(fact)`` is true."""
        return self._with_rest([fact for fact in self._facts if keep(fact)])

    def in_role(self, role: str) -> "Facts":
        """Return the facts with this role: forget, retain, neighbour, utility or never_seen."""
        return self.filter(lambda fact: fact.role == role)

    @property
    def table(self) -> pl.DataFrame:
        """The facts as a data frame, one row each, with the columns that some fact fills."""
        return facts_frame(self._facts)

    def _with_rest(self, chosen: Sequence[Fact]) -> "Facts":
        ids = {fact.fact_id for fact in chosen}
        return Facts(chosen, [*(fact for fact in self._facts if fact.fact_id not in ids), *self.rest])

    def __repr__(self) -> str:
        relations = len({fact.relation for fact in self._facts})
        return f"Facts({len(self)} facts, {relations} relation{'s' * (relations != 1)})"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def read_facts(source: "str | Path | pl.DataFrame | Iterable[Mapping[str, Any]] | Any") -> Facts:
    """Return the facts of a table: a path, ``country-capital``, a data frame or rows.

    A path is that of a .jsonl, .csv or .parquet file; a data frame is one of polars or pandas; rows are
    mappings with the keys ``subject``, ``relation``, ``object``, ``question`` and ``answer``, or with one
    key: ``statement`` (a sentence, asked by its beginning) or ``text`` (a passage, asked in chunks).
    Raises `DataError` that lists all bad rows.
    """
    if isinstance(source, Facts):
        return source
    if isinstance(source, str | Path):
        return Facts(read_table(Path(source)))
    if isinstance(source, pl.DataFrame):
        return Facts(facts_of_rows(source.iter_rows(named=True)))
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # of pandas
        return Facts(facts_of_rows(source.to_dict("records")))
    rows = list(source)
    if all(isinstance(row, Fact) for row in rows):
        return Facts(rows)
    return Facts(facts_of_rows(rows))
