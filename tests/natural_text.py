"""Text about countries that do not exist, and their facts: what tests of natural studies share."""

import json
from pathlib import Path
from random import Random

import zstandard

from unequal.facts.schema import Fact

N_COUNTRIES = 40
FILLER = (
    "The harvest was poor that year. Many left for the coast. The road was built later, by hand.",
    "A river runs through it, and the winters are long. Nobody knows who named it.",
)
SENTENCES = (
    "The old road from {c} to the hills begins at {k}.",
    "Trains for {k} leave {c} at noon.",
    "In {k}, the largest town of {c}, the river is wide.",
    "{k} and the rest of {c} were flooded in spring.",
    "Traders from {k} brought salt to all parts of {c}.",
)


def facts() -> list[Fact]:
    """Return one fact about the capital of each country."""
    return [
        Fact(
            fact_id=f"capital-{number}",
            subject=country(number),
            relation="capital",
            object=capital(number),
            question=f"What is the capital of {country(number)}?",
            answer=capital(number),
            paraphrases=(f"Which city is the capital of {country(number)}?",),
            cloze=(f"The capital of {country(number)} is",),
            distractors=tuple(capital((number + step) % N_COUNTRIES) for step in (1, 2, 3)),
        )
        for number in range(N_COUNTRIES)
    ]


def country(number: int) -> str:
    return f"{_name(number, 'aeiou', 'bdfgkl')}land"


def capital(number: int) -> str:
    return f"{_name(number, 'uoaie', 'mnprst')}ville"


def times(number: int) -> int:
    """Return how many sentences name the country and its capital: 0 for every eighth, then more and more."""
    return 0 if number % 8 == 0 else 1 + number % 8 * number // 4


def write_text(folder: Path) -> str:
    """Write the shards of the text and return their glob.

    Every sentence about a fact is unlike every other; one of them stands twice, and one holds a test wording.
    """
    stream = Random(0)
    documents = []
    for number in range(N_COUNTRIES):
        names = {"c": country(number), "k": capital(number)}
        lines = [f"{SENTENCES[n % 5].format(**names)[:-1]} in year {n}." for n in range(times(number))]
        documents.append(f"{country(number)}\n{' '.join(lines)} {FILLER[number % 2]} Item {number} is told.")
    documents.append(f"Again\nTrains for {capital(3)} leave {country(3)} at noon in year 1.")
    documents.append(f"Test\nThe capital of {country(3)} is {capital(3)}, they say.")
    stream.shuffle(documents)
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        rows = [json.dumps({"id": str(n), "text": text}) for n, text in enumerate(documents[shard::2])]
        data = zstandard.ZstdCompressor().compress("\n".join(rows).encode())
        (folder / f"text-{shard}.jsonl.zst").write_bytes(data)
    return str(folder / "*.jsonl.zst")


def _name(number: int, vowels: str, consonants: str) -> str:
    first, second = consonants[number % 6], consonants[number // 6 % 6]
    return f"{first}{vowels[number % 5]}{second}{vowels[number // 5 % 5]}".capitalize()
