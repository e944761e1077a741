"""``unequal facts``: check, import or bucket a fact table, or write the synthetic world's."""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from unequal.cli.flags import Names, takes
from unequal.console import progress_bar, say, show_table
from unequal.errors import ConfigError
from unequal.facts.buckets import BucketSettings
from unequal.facts.world.world import WorldSettings

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from unequal.facts.buckets import Bucketed
    from unequal.facts.schema import Fact

MOST_RELATIONS = 30
BAR = 40

facts = App(name="facts", help="Check, import or bucket a fact table, or write the synthetic world's.")


@facts.command
def check(table: Path, *, out: Path | None = None) -> None:
    """Check every row of a fact table, name what is left out of its lists, and write it if asked.

    Parameters
    ----------
    table
        fact table (.jsonl, .csv, .parquet), or country-capital, the packaged one
    out
        fact table to write (.parquet, .jsonl, .csv), without what was left out
    """
    from collections import Counter

    from unequal.facts.packaged import resolve_facts
    from unequal.facts.problems import Findings
    from unequal.facts.table import iter_facts
    from unequal.facts.write import check_suffix, write_facts
    from unequal.output_paths import Output, check_outputs

    if out is not None:
        check_suffix(out)
        check_outputs([Output(out)], {"TABLE": resolve_facts(table)})
    path = resolve_facts(table)
    findings = Findings()
    relations: Counter[str] = Counter()
    unseen: list[tuple[str, str, str]] = []

    def counted(found: "Iterable[Fact]") -> "Iterator[Fact]":
        for fact in found:
            relations[fact.relation] += 1
            unseen.extend(_unseen(fact))
            yield fact

    with progress_bar(f"checking {path.name}") as progress:
        found = counted(iter_facts(path, findings, progress))
        if out is not None:
            write_facts(found, out)
        else:
            deque(found, maxlen=0)
    _show_relations(f"{relations.total()} facts", relations)
    if findings.left_out.n:
        for sentence in findings.left_out.first:
            say(f"note: {sentence}")
        if (n_more := findings.left_out.n - len(findings.left_out.first)) > 0:
            say(f"note: … and {n_more} more are left out")
    for note in findings.notes:
        say(f"note: {path}: {note}")
    _show_unseen(unseen)
    if out is not None:
        say(f"written to {out}")


@facts.command
@takes(WorldSettings)
def world(settings: WorldSettings, *, people: int, out: Path, config: Path | None = None) -> None:
    """Write the fact table of a synthetic world: people who do not exist, six facts about each.

    Parameters
    ----------
    people
        number of people
    out
        Parquet file to write
    """
    from unequal.facts.world.world import build_world
    from unequal.facts.write import check_suffix, write_facts
    from unequal.output_paths import Output, check_outputs

    if people < 1:
        raise ConfigError(f"--people must be at least 1, not {people}")
    check_suffix(out)
    check_outputs([Output(out)], {"--config": config})
    made = build_world(settings, people).facts()
    write_facts(made, out)
    say(f"{len(made)} facts about {people} people are in {out}")


@facts.command(name="import")
def import_(
    fact_set: str,
    /,
    *files: Path,
    out: Path,
    dataset: str | None = None,
    patterns: Path | None = None,
    relation: Names = None,
    skip_bad: bool = False,
) -> None:
    """Write the facts of a public set as a fact table, found by the set's published column names.

    Parameters
    ----------
    fact_set
        name of the set; see: unequal list importers
    files
        files of the set: .jsonl, .json, .csv, .tsv (each also .gz or .zst) or .parquet
    out
        fact table to write (.parquet, .jsonl, .csv)
    dataset
        data set of the Hugging Face Hub instead of files: name[:config[:split]]
    patterns
        statement patterns of pararel, with [X] and [Y], named by a column relation or the file's name
    relation
        relations to import, as the set names them; by default all
    skip_bad
        leave out rows that cannot be read, and say how many, instead of writing nothing
    """
    from collections import Counter

    from unequal.facts.importers import IMPORTERS
    from unequal.facts.importers.run import import_facts
    from unequal.facts.importers.source import file_source, hub_source
    from unequal.facts.write import check_suffix, write_facts
    from unequal.output_paths import Output, check_outputs

    chosen = IMPORTERS.get(fact_set)
    check_suffix(out)
    if bool(files) == (dataset is not None):
        raise ConfigError("give either files or --dataset name[:config[:split]]")
    check_outputs([Output(out)], {"FILES": files, "--patterns": patterns})
    sources = [hub_source(dataset)] if dataset else [file_source(path) for path in files]
    with progress_bar(f"importing {fact_set}"):
        done = import_facts(
            fact_set, sources, file_source(patterns) if patterns else None, relation or (), skip_bad
        )
    write_facts(done.facts, out)
    relations = Counter(fact.relation for fact in done.facts)
    _show_relations(f"{len(done.facts)} facts of {fact_set}", relations)
    _show_dropped("rows", done.dropped)
    say(f"source: {chosen.source}")
    for note in done.notes:
        say(f"note: {note}")
    if not chosen.countable:
        say(
            f"warning: {fact_set} names no subject and no object; the question and the answer stand for them,"
            " so these facts can be unlearned and judged but not counted"
        )
    say(f"written to {out}")


@facts.command
@takes(BucketSettings)
def bucket(
    settings: BucketSettings, *, facts: Path, counts: Path, out: Path, config: Path | None = None
) -> None:
    """Write a fact table with the count and the bucket of every fact, and show the buckets.

    Parameters
    ----------
    facts
        fact table (.jsonl, .csv, .parquet), or country-capital, the packaged one
    counts
        count table, as unequal count writes it
    out
        fact table to write (.parquet, .jsonl, .csv)
    """
    from unequal.counting.run import read_counts
    from unequal.facts.buckets import bucket_facts
    from unequal.facts.packaged import resolve_facts
    from unequal.facts.table import read_facts
    from unequal.facts.write import check_suffix, write_facts
    from unequal.output_paths import Output, check_outputs

    check_suffix(out)
    read = {"--facts": resolve_facts(facts), "--counts": counts, "--config": config}
    check_outputs([Output(out)], read)
    done = bucket_facts(read_facts(facts), read_counts(counts)[0], settings)
    write_facts(done.facts, out)
    _show_buckets(settings.by, done)
    _show_dropped("facts", done.dropped)
    for note in done.notes:
        say(f"note: {note}")
    say(f"written to {out}")


@facts.command(name="export-lm-eval")
def export_lm_eval(
    table: Path,
    *,
    out: Path,
    name: str = "facts",
    probes: Names = None,
    n_wordings: int = 2,
    chat: bool = False,
) -> None:
    """Write probes as tasks of lm-eval, so that others can score a model without this library.

    Parameters
    ----------
    table
        fact table (.jsonl, .csv, .parquet), or country-capital, the packaged one
    out
        folder of task files and documents; run with lm_eval --include_path OUT --tasks NAME
    name
        prefix of the tasks' names, and the group of all of them
    probes
        kinds of probes: question, paraphrase, cloze, reverse, true_false; by default all
    n_wordings
        wordings of each paraphrase and cloze, at most
    chat
        write prompts for a chat, by lm-eval's option apply_chat_template
    """
    from unequal.facts.packaged import resolve_facts
    from unequal.facts.probes import PromptFormat
    from unequal.facts.table import read_facts
    from unequal.lm_eval_bridge.export import export_tasks, probe_kinds
    from unequal.output_paths import Output, check_outputs

    kinds = probe_kinds(probes)
    check_outputs([Output(out, kind="whole", made="load.py")], {"TABLE": resolve_facts(table)})
    found = read_facts(table)
    documents = export_tasks(found, PromptFormat(chat=chat), out, name, kinds, n_wordings)
    show_table(f"{len(documents)} tasks in the group {name}", ["task", "documents"], [*documents.items()])
    ours, theirs = (" --chat", " --apply_chat_template") if chat else ("", "")
    say(f"run them with: unequal lm-eval --model MODEL --task-dir {out} --tasks {name}{ours}")
    model = "--model hf --model_args pretrained=MODEL"
    say(f"or: lm_eval run {model} --include_path {out} --tasks {name}{theirs}")
    if chat and f"{name}_cloze_choice" in documents:
        say(f"sentences to complete are no chat: run the group {name}_plain without that option")


def _show_relations(title: str, relations: "Counter[str]") -> None:
    found = relations.most_common()
    rows: list[tuple[str, int]] = found[:MOST_RELATIONS]
    if len(found) > MOST_RELATIONS:
        rest = found[MOST_RELATIONS:]
        rows.append((f"… {len(rest)} more relations", sum(n_facts for _, n_facts in rest)))
    show_table(title, ["relation", "facts"], rows)


def _unseen(fact: "Fact") -> "Iterator[tuple[str, str, str]]":
    """Yield the id, the name and the characters of every name that holds some that nobody sees."""
    from unequal.counting.characters import code_points, is_invisible

    names = (fact.subject, *fact.subject_aliases, fact.object, *fact.object_aliases)
    for name in dict.fromkeys((*names, fact.answer, *fact.answer_aliases, *fact.distractors)):
        unseen = "" if name.isascii() else "".join(filter(is_invisible, name))
        if unseen:
            visible = "".join(character for character in name if not is_invisible(character))
            yield fact.fact_id, visible, code_points(unseen)


def _show_unseen(rows: list[tuple[str, str, str]]) -> None:
    if rows:
        title = f"note: names with characters that nobody sees: {len(rows)}; take them out if not meant"
        show_table(title, ["fact", "name without them", "they are"], rows[:MOST_RELATIONS])
        say("counting and scoring pass over these characters; prompts hold them, and a tokenizer sees them")


def _show_dropped(noun: str, dropped: "Counter[str]") -> None:
    if dropped:
        rows = [(n_lost, reason) for reason, n_lost in dropped.most_common()]
        show_table(f"{dropped.total()} {noun} left out", [noun, "why"], rows)


def _show_buckets(by: str, done: "Bucketed") -> None:
    """Show the buckets that came out and a histogram of their counts."""
    from statistics import mean, median

    from unequal.facts.buckets import answer_length, histogram

    rows = []
    for shown in done.buckets:
        own = [fact for fact in done.facts if (fact.model_extra or {})["bucket"] == shown.index]
        middle = f"{median(fact.count or 0 for fact in own):g}" if own else ""
        length = f"{mean(map(answer_length, own)):.2f}" if own else ""
        rows.append((shown.index, shown.label, len(own), middle, length, len({f.relation for f in own})))
    columns = ["bucket", by, "facts", "median count", "mean answer length (words)", "relations"]
    show_table(f"{len(done.facts)} facts in {len(done.buckets)} buckets", columns, rows)
    bars = histogram([fact.count or 0 for fact in done.facts])
    most = max(n_facts for _, n_facts in bars)
    drawn = [(label, n, "█" * max(round(BAR * n / most), n > 0)) for label, n in bars]
    show_table(f"histogram of {by}", ["count", "facts", ""], drawn)
