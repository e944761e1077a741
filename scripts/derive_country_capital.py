"""Derive the packaged table of countries and capitals from the Factbook's raw list and its own text.

    python scripts/derive_country_capital.py ../shared/data src/unequal/facts/data/country_capital.csv

The first path holds `facts/country_capital.csv` and `text/factbook-000.jsonl.zst`. Nothing is taken from
memory that the Factbook does not print, but for the spellings in `SPELLINGS` and `ALSO_WRITTEN`.
"""

import csv
import re
import sys
import unicodedata
from pathlib import Path

from unequal.counting.normalise import normalise
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.shards import local_shard
from unequal.facts.schema import Fact
from unequal.seeds import random_stream

DROPPED = {
    "British Indian Ocean Territory": "administered from London; it has no capital",
    "Christmas Island": "'The Settlement', case folded, is an everyday phrase",
    "Anguilla": "'The Valley', case folded, is an everyday phrase",
    "Dhekelia": "its capital stands in Akrotiri, which has the same one",
    "European Union": "not a country; four seats are given",
}
RENAMED = {
    "DRC": "Democratic Republic of the Congo",
    "The Dominican": "Dominican Republic",
    "Falkland Islands (Islas Malvinas)": "Falkland Islands",
    "Holy See (Vatican City)": "Holy See",
    "Svalbard (sometimes referred to as Spitsbergen, the largest island in the archipelago)": "Svalbard",
}
CAPITALS = {"Chisinau in Romanian": "Chisinau"}
SUBJECT_ALIASES = {
    "Burma": ["Myanmar"],
    "Cabo Verde": ["Cape Verde"],
    "Congo (Brazzaville)": ["Congo/Brazzaville", "Congo-Brazzaville"],
    "Côte d'Ivoire": ["Ivory Coast"],
    "Democratic Republic of the Congo": ["DRC", "Zaire"],
    "Eswatini": ["Swaziland"],
    "Falkland Islands": ["Islas Malvinas"],
    "Federated States of Micronesia": ["Micronesia"],
    "Laos": ["Lao PDR"],
    "North Korea": ["DPRK"],
    "South Korea": ["ROK"],
    "The Bahamas": ["Bahamas"],
    "The Gambia": ["Gambia"],
    "Timor-Leste": ["East Timor"],
    "Turkey": ["Türkiye"],
    "United Arab Emirates": ["UAE"],
    "United Kingdom": ["UK"],
    "United States": ["USA", "U.S."],
}
"""Former names, abbreviations and variants that the Factbook prints; not US, which folds to the pronoun."""
ALSO_WRITTEN = {
    "Lome": ["Lomé"],
    "Yaounde": ["Yaoundé"],
    "Noumea": ["Nouméa"],
    "Torshavn": ["Tórshavn"],
    "Reykjavik": ["Reykjavík"],
    "Chisinau": ["Chișinău"],
    "Sao Tome": ["São Tomé"],
    "Hagatna": ["Hagåtña"],
    "Sanaa": ["Sana'a"],
    "Port-Vila": ["Port Vila"],
    "Saint Helier": ["St Helier", "St. Helier"],
    "Saint Peter Port": ["St Peter Port", "St. Peter Port"],
    "Saint John's": ["St. John's"],
    "Saint George's": ["St. George's"],
    "Bern": ["Berne"],
}
"""Spellings that models use and the Factbook, which prints no accents here, does not; for scoring only."""
OBJECT_ALIASES = {
    "Ashgabat": ["Ashkhabad"],
    "Baku": ["Baki", "Baky"],
    "Belgrade": ["Beograd"],
    "Chisinau": ["Kishinev"],
    "Grand Turk": ["Cockburn Town"],
    "Hagatna": ["Agana"],
    "Hanoi": ["Ha Noi"],
    "Kyiv": ["Kiev"],
    "Mexico City": ["Ciudad de Mexico"],
    "Nicosia": ["Lefkosia", "Lefkosa"],
    "Pristina": ["Prishtine", "Prishtina"],
    "Rangoon": ["Yangon"],
    "Tashkent": ["Toshkent"],
    "Tirana": ["Tirane"],
    "Tripoli": ["Tarabulus"],
    "Vientiane": ["Viangchan"],
    "Washington, D.C.": ["Washington, DC", "Washington D.C.", "Washington DC"],
}
"""Second names that stand beside the first in the Factbook's entry of the capital."""
NO_PLAIN_SPELLING = {"Malé": "without its accent it folds to the word male"}
WITH_ARTICLE = re.compile(
    r"(Central African|Dominican) Republic|Democratic Republic|Federated|Isle of|Netherlands$|Philippines$"
    r"|Comoros$|Maldives$|Seychelles$|United |Holy See|.*Islands$"
)
LONG_FORM = re.compile(r"(?m)^Country name - conventional long form: (.+?)(?: *\([^)]*\))?(?:;.*)?$")
N_DISTRACTORS = 5


def main(source: Path, target: Path) -> None:
    """Write the fact table."""
    with (source / "facts" / "country_capital.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if row["capital"].strip() and row["country"] not in DROPPED
        ]
    longs = long_forms(source / "text" / "factbook-000.jsonl.zst")
    for row in rows:
        row["long_form"] = longs.get(row["country"], "")
        row["country"] = RENAMED.get(row["country"], row["country"])
        row["capital"] = CAPITALS.get(row["capital"], row["capital"])
    facts = [fact(row, rows) for row in rows]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(facts[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(facts)


def long_forms(shard: Path) -> dict[str, str]:
    """Return the conventional long form of each country that has one, by the title of its profile."""
    found = {}
    for document in ShardReader(local_shard(shard)):
        match = LONG_FORM.search(document.text)
        if match and match[1].strip() != "none":
            found[document.text.split("\n", 1)[0]] = match[1].strip()
    return found


def fact(row: dict[str, str], rows: list[dict[str, str]]) -> dict[str, str]:
    """Return one row of the fact table."""
    country, capital = row["country"], row["capital"]
    others = [other["country"] for other in rows if other is not row]
    others += [other["long_form"] for other in rows if other is not row]
    long_form = [] if any(holds(other, row["long_form"]) for other in others) else [row["long_form"]]
    subject_aliases = spellings(country, [*SUBJECT_ALIASES.get(country, []), *long_form])
    object_aliases = spellings(capital, OBJECT_ALIASES.get(capital, []))
    name = named(country)
    unique = sum(other["capital"] == capital for other in rows) == 1
    cells: dict[str, str | list[str]] = {
        "fact_id": "capital-" + slug(country),
        "subject": country,
        "relation": "capital",
        "object": capital,
        "question": f"What is the capital of {name}?",
        "answer": capital,
        "subject_aliases": subject_aliases,
        "object_aliases": object_aliases,
        "answer_aliases": [*object_aliases, *ALSO_WRITTEN.get(capital, [])],
        "paraphrases": [f"Which city is the capital of {name}?", f"Name the capital city of {name}."],
        "cloze": [f"The capital of {name} is", f"The capital city of {name} is"],
        "distractors": distractors(country, capital, rows),
        "reverse_question": f"Which country has {capital} as its capital?" if unique else "",
        "several_capitals": row["multiple_or_noted"],
    }
    kept = {column: value if isinstance(value, str) else "|".join(value) for column, value in cells.items()}
    lists = {
        column: value.split("|")
        for column, value in kept.items()
        if isinstance(cells[column], list) and value
    }
    Fact.model_validate({**{column: value for column, value in kept.items() if value}, **lists})
    return kept


def holds(text: str, name: str) -> bool:
    """Return whether the name is empty or stands as whole words in the text."""
    return re.search(rf"(?<!\w){re.escape(normalise(name))}(?!\w)", normalise(text)) is not None


def spellings(name: str, aliases: list[str]) -> list[str]:
    """Return the aliases, and of every name also the forms without accents and with a curly apostrophe."""
    names = [name, *aliases]
    if name not in NO_PLAIN_SPELLING:
        names += [plain(n) for n in names]
    names += [n.replace("'", "’") for n in names]
    distinct = {folded(n): n for n in reversed(names)}
    return [n for n in dict.fromkeys(names) if distinct.get(folded(n)) == n and n != name]


def folded(name: str) -> str:
    """Return the name without regard to case; apostrophes stay as they are written."""
    return unicodedata.normalize("NFKC", name).casefold()


def plain(name: str) -> str:
    """Return the name without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


def named(country: str) -> str:
    """Return the country as it stands in a sentence."""
    if country.startswith("The "):
        return "the" + country[3:]
    return f"the {country}" if WITH_ARTICLE.match(country) else country


def slug(country: str) -> str:
    """Return the name in lower-case ASCII letters with hyphens."""
    return re.sub(r"[^a-z]+", "-", plain(country).lower()).strip("-")


def distractors(country: str, capital: str, rows: list[dict[str, str]]) -> list[str]:
    """Return five other capitals, drawn by a generator of the country's own."""
    same_country = [row["capital_raw"] for row in rows if row["country"] == country]
    others = sorted({row["capital"] for row in rows} - {capital})
    allowed = [other for other in others if not any(holds(raw, other) for raw in same_country)]
    return random_stream(0, "country_capital", country).sample(allowed, N_DISTRACTORS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
