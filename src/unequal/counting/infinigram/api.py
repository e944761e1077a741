"""Counting engine on infini-gram's web service: a query for each name, then an AND query for each fact.

The definition, in full, as the service's engine counts (infini-gram, Liu et al. 2024):

- A name matches its token sequence, case-sensitively. A match may continue in a longer word or name: "Guinea"
  is found in "Guinea-Bissau".
- ``subject_count`` and ``object_count`` are sums of plain queries, which are always exact, over names of
  which none is a prefix of another, so that a position is counted once. (A query with OR is sampled when
  names are frequent.)
- ``anchored`` counts, in each shard of the index, the positions of the rarer clause with the other within
  ``window`` tokens, from start to start, in the same document. A position where both begin is near itself.
  If the nearest matches on the left and the right are both within reach but one is in another document, the
  engine drops the position: a small undercount that no response shows.
- Above ``max_clause_freq`` / shards matches in a shard, the service samples, scales by the *integer part*
  of the ratio, and reports ``approx: false`` as long as that is 1. So a count is called exact only if both
  clauses are below that limit and the service does not report an estimate.
"""

from collections.abc import Callable, Sequence
from typing import Any

from unequal.counting.infinigram.answers import NameCount, PairCount, read_name, read_pair, read_shards
from unequal.counting.infinigram.client import ApiClient, RefusedError
from unequal.counting.infinigram.queries import (
    AND,
    MOST_NAMES,
    Clause,
    QueryKind,
    QueryPlan,
    clause_pairs,
    occurrences,
    plan_queries,
)
from unequal.counting.protocol import CountSource, FactCount
from unequal.facts.schema import Fact
from unequal.progress import Progress

SAID = "the service says that it estimated"
FREQUENT = "a side occurs more often than max_clause_freq / shards, so that the service may have sampled"
NO_SHARDS = "the number of shards is not known, so that the service may have sampled"
LEFT_OUT = f"not all names fit into one query (at most {MOST_NAMES} of each side, the most frequent)"


class ApiCounter:
    """Counting engine for one index of the web service, with one kind of query and a window in tokens."""

    unit = "queries"

    def __init__(
        self,
        client: ApiClient,
        *,
        index: str,
        window: int,
        max_clause_freq: int,
        query: QueryKind = "or_clause",
        shards: int | None = None,
    ) -> None:
        self.client = client
        self.index = index
        self.window = window
        self.max_clause_freq = max_clause_freq
        self.query = query
        self.shards = shards
        self.shards_from = "settings" if shards else "not needed yet"
        self._estimated: dict[str, list[str]] = {}
        self._left_out: dict[str, list[str]] = {}
        self._repeated: list[str] = []

    @property
    def source(self) -> CountSource:
        """Return the meaning of the counts."""
        names = (
            f"or_clause over all names (in a pair at most {MOST_NAMES} of each side, the most frequent)"
            if self.query == "or_clause"
            else "reference_sum over four casings of the two first names"
        )
        definition = (
            f"case-sensitive {_tokenizer(self.index)} tokens, no right word boundary, {names}, places of the"
            f" rarer side in each shard, start-to-start tokens <= {self.window},"
            f" max_clause_freq {self.max_clause_freq}"
        )
        return CountSource("infinigram-api", self.index, definition, self.window, "tokens")

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one count for each fact, in the order of the facts; each distinct query is sent once.

        Raises `DataError`, before any request, for names that the service cannot handle,
        and `ConfigError` or `DataError` for a service that refuses or does not respond. Responses are
        cached, so the same call resumes from there.
        """
        plans = plan_queries(facts, self.query)
        distinct = list(dict.fromkeys(plans))
        names = list(dict.fromkeys(name for plan in distinct for name in plan.names))
        step = _stepper(progress, len(names) + sum(plan.n_pairs for plan in distinct))
        counts: dict[str, NameCount] = {}
        for name in names:
            counts[name] = self.client.ask(self._payload(name), read_name)
            step()
        sides = {plan: clause_pairs(plan, counts) for plan in distinct}
        answers: dict[str, PairCount] = {}
        for plan in distinct:
            for subject, object_ in sides[plan]:
                self._count_pair(subject, object_, answers)
                step()
        self._estimated, self._left_out, self._repeated = {}, {}, []
        return [
            self._fact_count(fact, plan, counts, [(*pair, answers[_text(*pair)]) for pair in sides[plan]])
            for fact, plan in zip(facts, plans, strict=True)
        ]

    def metadata(self) -> dict[str, Any]:
        """Return further information on the last counts, such as estimates."""
        return {
            "url": self.client.url,
            "index": self.index,
            "query": self.query,
            "max_clause_freq": self.max_clause_freq,
            "shards": self.shards,
            "shards_from": self.shards_from,
            "exact_if": "each side of a pair occurs at most max_clause_freq / shards times (once, if the"
            " number of shards is not known), no name was left out, and the service says approx: false",
            "requests_sent": self.client.n_sent,
            "requests_answered_from_cache": self.client.n_from_cache,
            "estimated": self._estimated,
            "names_left_out": self._left_out,
            "casings_summed_twice": self._repeated,
        }

    def _payload(self, query: str) -> dict[str, Any]:
        return {"index": self.index, "query_type": "count", "query": query}

    def _count_pair(self, subject: Clause, object_: Clause, answers: dict[str, PairCount]) -> None:
        """Add the count of an AND query to the answers; with an empty clause it is 0 without a request."""
        text = _text(subject, object_)
        if text in answers:
            return
        if not (subject.count and object_.count):
            answers[text] = PairCount(0, approx=False)
            return
        self._find_shards(subject.names[0])
        # The service fails on these two options with a plain query; it takes them with AND only.
        limits = {"max_clause_freq": self.max_clause_freq, "max_diff_tokens": self.window}
        answers[text] = self.client.ask(self._payload(text) | limits, read_pair)

    def _find_shards(self, name: str) -> None:
        """Request once the number of shards of the index, from a find query, which lists matches by shard."""
        if self.shards_from != "not needed yet":
            return
        payload = self._payload(name) | {"query_type": "find"}
        try:
            self.shards, self.shards_from = self.client.ask(payload, read_shards), "service"
        except RefusedError:
            self.shards_from = "not known"

    def _fact_count(
        self,
        fact: Fact,
        plan: QueryPlan,
        counts: dict[str, NameCount],
        pairs: list[tuple[Clause, Clause, PairCount]],
    ) -> FactCount:
        reasons = {reason for pair in pairs for reason in self._doubts(*pair)}
        for reason in sorted(reasons):
            self._estimated.setdefault(reason, []).append(fact.fact_id)
        left_out = [name for subject, object_, _ in pairs for name in (*subject.left_out, *object_.left_out)]
        if left_out:
            self._left_out[fact.fact_id] = left_out
        asked = {_text(subject, object_) for subject, object_, _ in pairs if subject.count and object_.count}
        if len(set(plan.pairs)) < len(plan.pairs):
            self._repeated.append(fact.fact_id)
        return FactCount(
            fact_id=fact.fact_id,
            subject_count=occurrences(plan.subject, counts),
            object_count=occurrences(plan.object, counts),
            anchored=sum(answer.count for _, _, answer in pairs),
            approx=bool(reasons),
            queries=len(plan.names) + len(asked),
        )

    def _doubts(self, subject: Clause, object_: Clause, answer: PairCount) -> list[str]:
        """Return the reasons why the count of a pair may be an estimate."""
        doubts = [SAID] if answer.approx else []
        if subject.left_out or object_.left_out:
            doubts.append(LEFT_OUT)
        if subject.count and object_.count:
            most = max(subject.count, object_.count)
            # A limit is rounded up to 1 at least, so that a single match is never sampled.
            if self.shards is None and most > 1:
                doubts.append(NO_SHARDS)
            elif self.shards is not None and most * self.shards > max(self.max_clause_freq, self.shards):
                doubts.append(FREQUENT)
        return doubts


def _text(subject: Clause, object_: Clause) -> str:
    return subject.text + AND + object_.text


def _tokenizer(index: str) -> str:
    """Return the tokenizer of an index, by the naming convention of the service."""
    known = {"llama": "Llama-2", "gpt2": "GPT-2", "olmo": "OLMo"}
    return next((known[part] for part in reversed(index.split("_")) if part in known), "the index's")


def _stepper(progress: Progress | None, total: int) -> Callable[[], None]:
    """Return a function that reports one more finished query."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return step
