"""What a study needs that may be missing: libraries, models, facts, text and counts, disk and memory."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from unequal.counting.count_source import CountChoice, CountTable
from unequal.counting.infinigram.api_settings import ApiSettings
from unequal.counting.infinigram.exchange import UnansweredError, exchange
from unequal.counting.scan.shards import find_shards, is_remote
from unequal.errors import UserError
from unequal.facts.packaged import resolve_corpus, resolve_facts
from unequal.facts.study_facts import FactsSettings, FactTable
from unequal.models.hub_snapshot import cached_folder, check_safe, hub_files, is_folder
from unequal.oom import free_memory
from unequal.study.checkpoints import CheckpointStudy
from unequal.study.expand import plan_steps
from unequal.study.natural import NaturalStudy
from unequal.study.settings import StudySettings
from unequal.study.step import Step
from unequal.study.steps.checkpoint import CheckpointSettings

State = Literal["ready", "to fetch", "missing"]
SECONDS = 10.0  # to wait for a service that is asked whether it is there
GIGABYTE = 1e9


@dataclass(frozen=True)
class Need:
    """One thing that a study needs: whether it is there, what to know of it, and bytes still to fetch."""

    what: str
    state: State
    detail: str
    to_fetch: int = 0


@dataclass(frozen=True)
class Room:
    """Gigabytes that a study needs and that there are, of memory for workers side by side and of disk."""

    memory: float
    memory_there: float
    disk: float
    disk_there: float
    cache: float
    cache_there: float

    def problems(self) -> list[str]:
        """Return a sentence on each that does not suffice."""
        pairs = {
            "memory": (self.memory, self.memory_there, "take fewer --workers, or set unlearn.adapter"),
            "disk for the study": (self.disk, self.disk_there, "choose another --out"),
            "disk for what is fetched": (self.cache, self.cache_there, "set HF_HOME to a larger disk"),
        }
        return [
            f"not enough {what}: {needed:.1f} GB needed, {there:.1f} GB there; {remedy}"
            for what, (needed, there, remedy) in pairs.items()
            if needed > there
        ]


def find_needs(settings: StudySettings, libraries: Mapping[str, Sequence[str]]) -> list[Need]:
    """Return all that a study needs; ``libraries`` are those of each extra.

    Nothing is fetched; the hub and the service that counts are asked whether they have what is named.
    """
    found = [*_libraries(settings, libraries)]
    if isinstance(settings, NaturalStudy):
        found += [*_facts(settings.facts), _text("text", settings.text.corpus)]
    if isinstance(settings, CheckpointStudy):
        found += [*_facts(settings.facts), _counts(settings.counts)]
        found += [_model(one) for one in settings.checkpoints]
    return found


def find_room(steps: Sequence[Step], needs: Sequence[Need], out: Path, workers: int) -> Room:
    """Return the room that the steps still to do need, and that there is."""
    to_do = [step for step in steps if not step.is_done(out)]
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    cache = _cache_folder()
    return Room(
        memory=workers * max((step.memory for step in to_do), default=0.0),
        memory_there=free_memory() / GIGABYTE,
        disk=sum(step.disk for step in to_do),
        disk_there=shutil.disk_usage(place).free / GIGABYTE,
        cache=sum(need.to_fetch for need in needs) / GIGABYTE,
        cache_there=shutil.disk_usage(cache).free / GIGABYTE,
    )


def plan_if_possible(settings: StudySettings, needs: Sequence[Need]) -> list[Step] | None:
    """Return the steps of a study, None when a file that decides their names is missing."""
    try:
        return plan_steps(settings)
    except UserError:
        if all(need.state != "missing" for need in needs):
            raise
        return None


def _libraries(settings: StudySettings, libraries: Mapping[str, Sequence[str]]) -> Iterator[Need]:
    wanted = ["train"]
    if settings.unlearn.adapter:
        wanted.append("quantised" if settings.unlearn.quantise else "peft")
    if isinstance(settings, NaturalStudy | CheckpointStudy) and any(t.hub for t in settings.facts.tables):
        wanted.append("hub")
    corpora = [settings.text.corpus] if isinstance(settings, NaturalStudy) else []
    if isinstance(settings, CheckpointStudy):
        corpora += [getattr(settings.counts, "corpus", "")]
        wanted += ["infinigram"] if getattr(settings.counts, "engine", "") == "infinigram-local" else []
    wanted += ["remote"] if any(map(is_remote, corpora)) else []
    for extra in wanted:
        lacking = [name for name in libraries[extra] if find_spec(name) is None]
        if lacking:
            detail = f"{', '.join(lacking)} not installed; run: pip install 'unequal[{extra}]'"
            yield Need(f"extra {extra}", "missing", detail)
        else:
            yield Need(f"extra {extra}", "ready", "installed")


def _facts(settings: FactsSettings) -> Iterator[Need]:
    for table in settings.tables:
        yield _checked(f"facts {table.label}", partial(_table, table))
    for path in settings.wordings:
        yield _file(f"wordings {path.name}", path)


def _table(table: FactTable) -> Need:
    what = f"facts {table.label}"
    if table.hub is None:
        lacking = [str(path) for path in map(resolve_facts, table.places()) if not path.is_file()]
        if lacking:
            return Need(what, "missing", f"there is no file {lacking[0]}")
        return Need(what, "ready", ", ".join(map(str, table.places())))
    name = table.hub.split(":", 1)[0]
    if Path(name).is_dir():
        return Need(what, "ready", name)
    commit, sizes = hub_files(name, table.revision, "dataset")
    return Need(what, "to fetch", f"{name} @ {commit[:12]}", sum(sizes.values()))


def _text(what: str, corpus: str) -> Need:
    def find() -> Need:
        shards = find_shards(resolve_corpus(corpus), f"{what}.corpus")
        size = sum(shard.size for shard in shards) / GIGABYTE
        return Need(what, "ready", f"{len(shards)} shards of {corpus}, {size:.2f} GB packed")

    return _checked(what, find)


def _counts(counts: CountChoice) -> Need:
    if isinstance(counts, CountTable):
        return _file("counts", counts.table)
    if isinstance(counts, ApiSettings):
        return _checked("counts", partial(_service, counts))
    if corpus := getattr(counts, "corpus", None):
        return _text("counts", corpus)
    return Need("counts", "ready", f"column {getattr(counts, 'column', '')} of the facts")


def _service(counts: ApiSettings) -> Need:
    detail = f"index {counts.index} at {counts.url}, asked once a fact and name"
    try:
        exchange(counts.url, None, SECONDS, {})  # whatever it answers, it is there
    except UnansweredError as error:
        return Need(
            "counts", "missing", f"{counts.url} cannot be reached ({error}); give counts.table instead"
        )
    return Need("counts", "to fetch", detail)


def _model(settings: CheckpointSettings) -> Need:
    what = f"model {settings.label}"

    def find() -> Need:
        if is_folder(settings.model):
            names = [path.name for path in Path(settings.model).iterdir()]
            check_safe(settings.model, names)
            return Need(what, "ready", f"folder {settings.model}")
        if cached := cached_folder(settings.model, settings.revision):
            return Need(what, "ready", f"fetched before, {cached.name[:12]}")
        commit, sizes = hub_files(settings.model, settings.revision)
        return Need(what, "to fetch", f"{settings.model} @ {commit[:12]}", sum(sizes.values()))

    return _checked(what, find)


def _checked(what: str, find: Callable[[], Need]) -> Need:
    """Return what was found; an error that the user can fix says what is missing."""
    try:
        return find()
    except UserError as error:
        return Need(what, "missing", str(error).splitlines()[0])


def _file(what: str, path: Path) -> Need:
    if path.is_file():
        return Need(what, "ready", str(path))
    return Need(what, "missing", f"there is no file {path}")


def _cache_folder() -> Path:
    """Return the nearest folder that exists of those in which the hub's files are kept."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser().absolute()
    return next(folder for folder in (home, *home.parents) if folder.exists())
