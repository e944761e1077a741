"""Speed, memory and growth of the streaming scan, against reading alone on the same shards in one run.

Nothing can count a shard faster than it is read, so the ceiling is the engine's own reader (decompress,
parse, hand out the texts), with bare zstandard and json beside it. Reading and counting with every matcher
take turns, so that all meet the same machine; ratios are medians over the turns. MB are 10⁶ bytes of
uncompressed JSON.

    python benchmarks/count.py --out benchmarks/results/count.json
    python benchmarks/count.py --workers --out benchmarks/results/count-workers.json
    python benchmarks/count.py --memory --out benchmarks/results/count-memory.json
    python benchmarks/count.py --curve --out benchmarks/results/count-curve.json --plot docs/counting-cost

The corpus is ../shared/data/text and the facts are those of ../shared/data/facts where these are, and
generated otherwise; --generated MB asks for generated text.
"""

import argparse
import json
import logging
import os
import pickle
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from count_material import MB, Corpus, all_facts, entity_facts, make_corpus, raw_lines
from unequal.counting.launch.launcher import Job
from unequal.counting.matching import MATCHERS, choose_matcher
from unequal.counting.matching.matcher import Matcher, Matches
from unequal.counting.normalise import Normaliser
from unequal.counting.protocol import FactCount
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.names import index_names
from unequal.counting.scan.occurrences import find_occurrences
from unequal.counting.scan.shard_counts import BLOCK_SIZE, Request, ShardCounter
from unequal.counting.scan.shards import Shard, find_shards
from unequal.counting.scan.window import Totals
from unequal.counting.words import Words, words_of
from unequal.facts.schema import Fact
from unequal.manifest import manifest

LIBRARIES = ("ahocorasick-rs", "hyperscan", "zstandard", "pyarrow", "altair")
FACT_NUMBERS = (100, 1_000, 10_000, 100_000)
SHARD_NUMBERS = (1, 2, 4, 8, 16)
MEMORY_SHARDS = (1, 4)
MEMORY_LIMIT_MB = 400
"""Peak memory that a worker may take for 100,000 facts."""
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--workers", action="store_true", help="wall time of 1 and 2 workers")
    mode.add_argument("--memory", action="store_true", help="peak memory of a worker")
    mode.add_argument("--curve", action="store_true", help="time by corpus size and number of facts")
    mode.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", help="glob of .jsonl.zst shards")
    parser.add_argument("--generated", type=int, metavar="MB", help="count in so much generated text")
    parser.add_argument("--facts", type=int, default=10_000, help="how many facts (default: 10,000)")
    parser.add_argument("--pairs", type=int, default=7, help="turns (default: 7)")
    parser.add_argument("--matchers", nargs="+", default=available_matchers())
    parser.add_argument("--copies", type=int, default=8, help="of the corpus, for --workers (default: 8)")
    parser.add_argument("--most-facts", type=int, default=FACT_NUMBERS[-1], help="of --memory and --curve")
    parser.add_argument("--most-shards", type=int, help="of --memory and --curve (default: all)")
    parser.add_argument("--plot", type=Path, help="picture of --curve, without .svg and .png")
    parser.add_argument("--out", type=Path, help="file for the result (.json)")
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(worker(Path(arguments.worker[0]), arguments.worker[1:])))
        return
    measure = next((MODES[name] for name in MODES if getattr(arguments, name)), speed)
    with tempfile.TemporaryDirectory() as folder:
        corpus = make_corpus(arguments.corpus, arguments.generated, arguments.facts, Path(folder))
        found = measure(arguments, corpus, Path(folder))
    found |= {"command": " ".join(["python", *sys.argv]), **machine(), **manifest()}
    print(json.dumps(found, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


def available_matchers() -> list[str]:
    """Return the matchers whose libraries are installed."""
    return [name for name in MATCHERS if name != "hyperscan" or find_spec("hyperscan")]


def read_bare(corpus: Corpus) -> None:
    """Decompress and parse with nothing else."""
    for path in corpus.shards:
        for line in raw_lines(path):
            json.loads(line)


def texts_of(shard: Shard) -> list[str]:
    """Return the texts of a shard."""
    return [document.text for document in ShardReader(shard)]


def read_as_the_engine(shards: Sequence[Shard]) -> None:
    """Read all documents as the scan does."""
    for shard in shards:
        for _ in ShardReader(shard):
            pass


def clock(function: Callable[..., Any], *values: Any) -> tuple[float, Any]:
    """Return the seconds that a call took, and what it returned."""
    started = time.perf_counter()
    result = function(*values)
    return time.perf_counter() - started, result


def counted(pattern: str, facts: Sequence[Fact], matcher: str, workers: int = 1) -> list[FactCount]:
    """Count with nothing kept from before: what `unequal count` does between reading facts and writing."""
    return ScanCounter(pattern, running=ScanOptions(matcher=matcher, workers=workers)).count(facts)


def summary(values: Sequence[float]) -> Result:
    """Return the middle and the ends."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def speed(arguments: argparse.Namespace, corpus: Corpus, folder: Path) -> Result:
    """Return MB a second of reading and of counting with every matcher, turn by turn, and the phases."""
    facts = entity_facts(arguments.facts)
    pattern, megabytes = corpus.first(len(corpus.shards), folder / "all")
    shards = find_shards(pattern)
    n_patterns = len(index_names(facts).patterns)
    runs: dict[str, Callable[[], Any]] = {
        "read": partial(read_as_the_engine, shards),
        "zstandard + json": partial(read_bare, corpus),
        **{name: partial(counted, pattern, facts, name) for name in arguments.matchers},
    }
    turns: list[dict[str, float]] = []
    counts: list[list[FactCount]] = []
    for turn in range(arguments.pairs):
        seconds = {}
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            seconds[name], result = clock(runs[name])
            counts += [result] if name in arguments.matchers else []
        turns.append(seconds)
        print({name: f"{megabytes / second:.0f} MB/s" for name, second in seconds.items()}, flush=True)
    if any(other != counts[0] for other in counts):
        raise SystemExit("the matchers do not count alike")
    return {
        "corpus": corpus.name,
        "shards": len(corpus.shards),
        "megabytes": megabytes,
        "facts": len(facts),
        "patterns": n_patterns,
        "auto_matcher": choose_matcher("auto", n_patterns),
        "mb_per_second": {name: summary([megabytes / turn[name] for turn in turns]) for name in runs},
        "ratio_to_read": {
            name: summary([turn["read"] / turn[name] for turn in turns]) for name in arguments.matchers
        },
        "facts_found": sum(bool(count.docs_window) for count in counts[0]),
        "seconds": turns,
        "prepare_seconds": {
            name: summary([clock(prepare, facts, name)[0] for _ in turns]) for name in arguments.matchers
        },
        "phases_ms_per_mb": {
            name: phases(prepare(facts, name).request, shards, megabytes, arguments.pairs)
            for name in arguments.matchers
        },
        "peak_mb_of_all": peak_mb(),
    }


def prepare(facts: Sequence[Fact], matcher: str) -> ShardCounter:
    """Return the scan's compiled names: what is done once before the first shard, and is in every count."""
    return ShardCounter(Request(index_names(facts), Definition(), matcher))


def phases(request: Request, shards: Sequence[Shard], megabytes: float, pairs: int) -> Result:
    """Return the milliseconds per MB of each part of the scan, on the same blocks, as medians over turns."""
    matcher = TimedMatcher(MATCHERS.get(request.matcher)(request.names.patterns))
    turns: list[dict[str, float]] = []
    for _ in range(pairs):
        seconds = dict.fromkeys(("read", "normalise", "words", "match", "occurrences", "join"), 0.0)
        normaliser, totals = Normaliser(request.names.any_cased), Totals.zero(request.names)
        for shard in shards:
            reading, texts = clock(texts_of, shard)
            seconds["read"] += reading
            for block in blocks(texts):
                for name, part in block_phases(request, matcher, normaliser, totals, block).items():
                    seconds[name] += part
        turns.append(seconds)
    return {name: statistics.median(1e3 * turn[name] / megabytes for turn in turns) for name in turns[0]}


def block_phases(
    request: Request, matcher: "TimedMatcher", normaliser: Normaliser, totals: Totals, block: list[str]
) -> dict[str, float]:
    """Return the seconds of each part; where words begin and end is found by ``match``, which asks for it."""
    normalising, normal = clock(normaliser.block, block)
    structuring, _ = clock(words_of, normal.data)
    finding, found = clock(find_occurrences, matcher, request.names, normal, request.definition)
    joining, _ = clock(totals.add_block, found, request.names, request.definition.window)
    return {
        "normalise": normalising,
        "words": structuring,
        "match": matcher.seconds,
        "occurrences": finding - structuring - matcher.seconds,
        "join": joining,
    }


class TimedMatcher:
    """A matcher that keeps the seconds of the last search."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.seconds = 0.0

    def find(self, data: bytes, words: Words) -> Matches:
        """Return what the matcher finds."""
        started = time.perf_counter()
        matches = self.matcher.find(data, words)
        self.seconds = time.perf_counter() - started
        return matches


def blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in lists of the scan's block size."""
    block: list[str] = []
    length = 0
    for text in texts:
        block.append(text)
        length += len(text) + 1
        if length >= BLOCK_SIZE:
            yield block
            block, length = [], 0
    if block:
        yield block


def worker_times(arguments: argparse.Namespace, corpus: Corpus, folder: Path) -> Result:
    """Return the wall time of one and of two workers, turn by turn."""
    facts = entity_facts(arguments.facts)
    (folder / "all").mkdir()
    for copy in range(arguments.copies):
        for shard in corpus.shards:
            shutil.copy(shard, folder / "all" / f"{copy}-{shard.name}")
    pattern, megabytes = str(folder / "all" / "*"), arguments.copies * sum(corpus.raw_bytes) / MB
    logging.disable(logging.WARNING)  # that shards are copies is known
    turns = []
    for _ in range(arguments.pairs):
        one, alone = clock(counted, pattern, facts, "auto", 1)
        two, together = clock(counted, pattern, facts, "auto", 2)
        if alone != together:
            raise SystemExit("one and two workers do not count alike")
        turns.append({"1": one, "2": two, "speedup": one / two})
    return {
        "corpus": corpus.name,
        "megabytes": megabytes,
        "copies": arguments.copies,
        "facts": len(facts),
        "seconds": {name: summary([turn[name] for turn in turns]) for name in ("1", "2")},
        "speedup": summary([turn["speedup"] for turn in turns]),
        "turns": turns,
    }


def memory(arguments: argparse.Namespace, corpus: Corpus, folder: Path) -> Result:
    """Return the peak memory of a fresh worker process by facts and shards."""
    n_shards = arguments.most_shards or len(corpus.shards)
    rows = []
    for n_facts in [n for n in FACT_NUMBERS if 1_000 <= n <= arguments.most_facts]:
        names = index_names(all_facts(n_facts))
        for matcher in ("auto", *arguments.matchers):
            chosen = choose_matcher(matcher, len(names.patterns))
            request = folder / "request.pickle"
            request.write_bytes(pickle.dumps(Request(names, Definition(), chosen)))
            fewer = [n for n in MEMORY_SHARDS if n < n_shards and matcher == "auto"]
            for shards in (*fewer, n_shards):
                command = [sys.executable, __file__, "--worker", str(request)]
                command += [str(path) for path in corpus.shards[:shards]]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                row = {"facts": n_facts, "patterns": len(names.patterns), "shards": shards}
                rows.append(row | {"matcher": matcher, "is": chosen, **json.loads(done.stdout)})
                print(rows[-1], flush=True)
    worst = max(row["peak_mb"] for row in rows if row["matcher"] == "auto")
    return {"corpus": corpus.name, "limit_mb": MEMORY_LIMIT_MB, "highest_mb_of_auto": worst, "runs": rows}


def worker(request: Path, paths: Sequence[str]) -> Result:
    """Return the peak memory of this process, which counts as a worker does, at three times."""
    imported_mb = peak_mb()
    counter = ShardCounter(pickle.loads(request.read_bytes()))  # it was written by `memory`
    ready_mb = peak_mb()
    for path in paths:
        counter(Job(find_shards(path)[0]), lambda _: None)
    return {"peak_mb": peak_mb(), "peak_mb_imported": imported_mb, "peak_mb_ready": ready_mb}


def peak_mb() -> float:
    """Return the largest resident set of this process in MB.

    Linux's VmHWM where there is one, since getrusage there starts at what the parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def curve(arguments: argparse.Namespace, corpus: Corpus, folder: Path) -> Result:
    """Return seconds by MB of text and by number of facts, for every matcher and for reading alone."""
    most_shards = arguments.most_shards or len(corpus.shards)
    facts = all_facts(max(arguments.most_facts, arguments.facts))
    cases = [
        (n, arguments.facts, "corpus") for n in sorted({*SHARD_NUMBERS, most_shards}) if n <= most_shards
    ]
    cases += [(most_shards, n, "facts") for n in FACT_NUMBERS if n <= arguments.most_facts]
    rows = []
    for number, (n_shards, n_facts, varied) in enumerate(cases):
        pattern, megabytes = corpus.first(n_shards, folder / f"case-{number}")
        shards, asked = find_shards(pattern), facts[:n_facts]
        runs: dict[str, Callable[[], Any]] = {"read alone": partial(read_as_the_engine, shards)}
        runs |= {name: partial(counted, pattern, asked, name) for name in arguments.matchers}
        turns = [{name: clock(run)[0] for name, run in runs.items()} for _ in range(arguments.pairs)]
        for name in runs:
            row = {"varied": varied, "shards": n_shards, "megabytes": megabytes, "facts": n_facts}
            rows.append(row | {"series": name, **summary([turn[name] for turn in turns])})
            print(rows[-1], flush=True)
    if arguments.plot:
        plot(rows, arguments.plot)
    return {"corpus": corpus.name, "unit": "seconds", "turns": arguments.pairs, "runs": rows}


def plot(rows: Sequence[Result], stem: Path) -> None:
    """Write two panels, seconds by MB and by facts, both axes logarithmic."""
    import altair as alt  # a measured worker does not draw

    n_facts = next(row["facts"] for row in rows if row["varied"] == "corpus")
    megabytes = max(row["megabytes"] for row in rows)
    panels = [
        ("corpus", "megabytes", "text counted (MB of JSON)", f"{n_facts:,} facts"),
        ("facts", "facts", "number of facts", f"{megabytes:.0f} MB of text"),
    ]
    seconds = [row[end] for row in rows for end in ("min", "max")]
    height = alt.Scale(type="log", domain=[min(seconds), max(seconds)], nice=False)
    few = alt.Axis(tickCount=4, gridOpacity=0.4)
    drawn = []
    for varied, field, title, heading in panels:
        base = alt.Chart(alt.Data(values=[row for row in rows if row["varied"] == varied])).encode(
            x=alt.X(f"{field}:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=8), axis=few),
            color=alt.Color("series:N", title=None, sort=["read alone", *MATCHERS]),
        )
        line = base.mark_line(point=True).encode(
            y=alt.Y("median:Q", title="time on one core (seconds)", scale=height, axis=few)
        )
        spread = base.mark_rule(opacity=0.4).encode(y="min:Q", y2="max:Q")
        drawn.append((line + spread).properties(width=300, height=260, title=heading))
    chart = alt.hconcat(*drawn).resolve_scale(color="shared").configure(background="white")
    chart.save(stem.with_suffix(".svg"))
    chart.save(stem.with_suffix(".png"), scale_factor=2)


def machine() -> Result:
    """Return what the manifest does not say: processor, cores, and the libraries that count."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    installed = {name: version(name) for name in LIBRARIES if find_spec(name.replace("-", "_"))}
    processor = named[0] if named else platform.processor()
    return {"processor": processor, "cores": os.cpu_count(), "counting_libraries": installed}


MODES = {"workers": worker_times, "memory": memory, "curve": curve}

if __name__ == "__main__":
    main()
