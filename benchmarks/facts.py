"""Time and peak memory of checking and counting a million facts, each command in a process of its own.

    python benchmarks/facts.py --out benchmarks/results/facts.json
    python benchmarks/facts.py --facts 100000 --check

The facts have two aliases, five distractors, a paraphrase, a statement and an unknown column; in one of a
hundred a distractor is right. They are counted on one shard of --corpus.
"""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unequal.facts.schema import Fact
from unequal.facts.write import write_facts
from unequal.manifest import manifest

LONGEST = 60.0
"""Seconds that the check of a million facts may take on two cores."""
MOST_MEMORY = 1000.0
"""Peak memory in 10⁶ bytes that it may take."""
ENDINGS = (".jsonl", ".csv", ".parquet")
SHARD = Path(__file__).parents[1] / ".." / "shared" / "data" / "text" / "factbook-000.jsonl.zst"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--facts", type=int, default=1_000_000, help="how many facts")
    parser.add_argument("--corpus", type=Path, default=SHARD, help="shard to count in")
    parser.add_argument("--check", action="store_true", help="check only, count nothing")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    asked = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ending in ENDINGS:
            table = folder / f"facts{ending}"
            write_apart(asked.facts, table)
            runs.append(measured("check", table, ["facts", "check", str(table)]))
            if ending != ".parquet":
                table.unlink()
        out = str(folder / "checked.parquet")
        runs.append(measured("check --out", table, ["facts", "check", str(table), "--out", out]))
        if not asked.check:
            out = str(folder / "counts.parquet")
            words = ["count", "--facts", str(table), "--corpus", str(asked.corpus), "--out", out]
            runs.append(measured(f"count in {asked.corpus.name}", table, words))
    if asked.out is not None:
        result = {"facts": asked.facts, "longest_s": LONGEST, "most_memory_mb": MOST_MEMORY, "runs": runs}
        result |= {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "made_by": manifest()}
        asked.out.write_text(json.dumps(result, indent=2, default=str) + "\n")


def write_apart(n_facts: int, table: Path) -> None:
    """Write the facts in another process, for a child's peak begins at the size of the one it came from."""
    writer = multiprocessing.get_context("spawn").Process(target=write_table, args=(n_facts, table))
    writer.start()
    writer.join()
    if writer.exitcode:
        sys.exit(f"the facts could not be written ({writer.exitcode})")


def write_table(n_facts: int, table: Path) -> None:
    write_facts(made_facts(n_facts), table)


def made_facts(n_facts: int) -> Iterator[Fact]:
    """Yield facts about made-up people and places, one at a time."""
    for number in range(n_facts):
        city = f"Town {number % 5000}"
        wrong = [f"Town {(number * 7 + step) % 5000}" for step in range(1, 5)]
        wrong.append(city.upper() if number % 100 == 0 else f"Village {number % 900}")
        yield Fact.model_construct(
            fact_id=f"fact-{number}",
            subject=f"Person Number {number}",
            relation=f"relation-{number % 12}",
            object=city,
            question=f"In which town was Person Number {number} born?",
            answer=city,
            subject_aliases=(f"P. Number {number}",),
            object_aliases=(f"{city} upon Water",),
            paraphrases=(f"Where was Person Number {number} born?",),
            cloze=(f"Person Number {number} was born in",),
            distractors=tuple(wrong),
            source={"page": number, "tags": ["a", "b"]} if number % 2 else "text",
        )


def measured(what: str, table: Path, words: list[str]) -> dict[str, Any]:
    """Return the wall time and the peak memory of a command."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "unequal", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    run = {
        "command": what,
        "table": f"{table.suffix} of {table.stat().st_size / 1e6:.0f} MB",
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": round(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6),
        "exit": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(run), flush=True)
    return run


if __name__ == "__main__":
    main()
