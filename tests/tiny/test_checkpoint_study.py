"""Published models the whole way, from a stand-in hub, with counts from a stand-in service."""

import io
import json
import os
import subprocess
import tomllib
from pathlib import Path

import polars as pl
import pytest

from command_line import ONE_THREAD, UNEQUAL, Result, toml
from fake_hub import FakeHub
from fake_infinigram import FakeInfinigram
from tiny_checkpoints import files_of, model_of, teach, tokenizer_for
from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts
from waiting import HANGS

pytestmark = pytest.mark.full

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPT = "Question: {question}\nAnswer:"
CAPITALS = [fact for fact in read_facts(packaged_facts()) if fact.subject != fact.object][:120]
NUMBERS = range(40)


def parquet(rows):
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return {"data/test-00000-of-00001.parquet": buffer.getvalue(), "README.md": b"---\nlicense: mit\n---\n"}


DATASETS = {
    "datasets/McGill-NLP/country_capital_qa": parquet(
        [
            {
                "country": fact.subject,
                "capital": fact.object,
                "question": fact.question,
                "answer": fact.answer,
                "count": 7 * number,
            }
            for number, fact in enumerate(CAPITALS)
        ]
    ),
    "datasets/McGill-NLP/book_author_qa": parquet(
        [{"book": f"Book of {n}", "author": f"Writer {n}"} for n in NUMBERS]
    ),
    "datasets/McGill-NLP/zsre_qa": parquet(
        [
            {"subject": f"Ship {n}", "question": f"Which yard built Ship {n}?", "answer": f"Yard {n % 9}"}
            for n in NUMBERS
        ]
    ),
    "datasets/akariasai/PopQA": parquet(
        [
            {
                "id": n,
                "subj": f"Player {n}",
                "prop": "sport" if n % 2 else "genre",
                "obj": f"Game {n % 5}",
                "question": f"What sport does Player {n} play?" if n % 2 else f"What genre is Player {n}?",
                "possible_answers": json.dumps([f"Game {n % 5}"]),
                "s_pop": 5 * n,
                "o_pop": n,
                "s_aliases": "[]",
                "o_aliases": "[]",
            }
            for n in NUMBERS
        ]
    ),
}  # fmt: skip


def corpus():
    """Documents in which the facts stand from never to eight times."""
    pairs = [(fact.subject, fact.object) for fact in CAPITALS]
    pairs += [(f"Book of {n}", f"Writer {n}") for n in NUMBERS]
    pairs += [(f"Ship {n}", f"Yard {n % 9}") for n in NUMBERS] + [
        (f"Player {n}", f"Game {n % 5}") for n in NUMBERS
    ]
    return [
        f"{subject} is told of with {obj}." for n, (subject, obj) in enumerate(pairs) for _ in range(n % 9)
    ]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_for(CAPITALS, PROMPT)


@pytest.fixture(scope="module")
def learned(tokenizer):
    """A checkpoint of OLMo 2's class that knows most of the capitals, and one with other weights."""
    model = model_of("olmo2", tokenizer, width=64)
    teach(model, tokenizer, CAPITALS, PROMPT, 260)
    return files_of(model, tokenizer)


@pytest.fixture(scope="module")
def services(learned, tokenizer):
    repositories = DATASETS | {
        "models/someone/learned-1m": learned,
        "models/someone/random-1m": files_of(model_of("gpt_neox", tokenizer), tokenizer),
        "models/someone/pickled-1m": {"config.json": b"{}", "pytorch_model.bin": b"x"},
    }
    with (
        FakeHub(repositories) as hub,
        FakeInfinigram([corpus()], indexes=("v4_dolma-v1_7_llama",)) as counts,
    ):
        yield hub, counts


def run(*words, hub, home, offline=False):
    """Return what ``unequal`` answers in a process of its own that knows this hub alone."""
    env = {**os.environ, **ONE_THREAD, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "COLUMNS": "200"}
    env |= {"HF_HUB_OFFLINE": str(int(offline)), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [UNEQUAL, *map(str, words)], capture_output=True, text=True, env=env, timeout=HANGS, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def counted_by(service, folder):
    return {
        "engine": "infinigram-api",
        "index": "v4_dolma-v1_7_llama",
        "url": service.url,
        "requests_per_second": 100_000,
        "cache": str(folder / "answers"),
        "max_clause_freq": 500_000,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def values(services, folder):
    return {
        "name": "published",
        "source": "checkpoints",
        "seeds": [0],
        "checkpoints": [
            {"model": "someone/learned-1m", "start": "base", "revision": "main"},
            {"model": "someone/random-1m", "start": "instruct", "family": "neo", "size": "tiny"},
        ],
        "facts": {
            "made_up": 8,
            "tables": [
                {"name": "capitals", "set": "country_capital", "hub": "McGill-NLP/country_capital_qa"},
                {"name": "books", "set": "book_author", "hub": "McGill-NLP/book_author_qa:default:test"},
            ],
        },
        "counts": counted_by(services[1], folder),
        "split": {"buckets": {"n_bins": 2}, "retain_share": 0.3, "utility_share": 0.1},
        "prompts": {"question": "Question: {question}\\nAnswer:"},
        "methods": [
            {"kind": "graddiff", "learning_rate": 3e-3},
            {"kind": "simnpo", "learning_rate": 3e-3},
            {"kind": "idk", "learning_rate": 3e-3},
        ],
        "targets": [{"relation": "capitals"}, {"relation": "books", "methods": ["idk"]}],
        "unlearn": {"steps": 3, "batch_size": 16, "evaluate_at": [1]},
        "evaluate": {"facts_per_role": 8, "probes": ["question", "cloze"], "n_wordings": 1},
    }  # fmt: skip


@pytest.fixture(scope="module")
def finished(services, folder, values):
    (folder / "run.toml").write_text(toml(values))
    result = run(
        "study", "run", folder / "run.toml", "--out", folder / "out", "--workers", 1,
        hub=services[0], home=folder / "home",
    )  # fmt: skip
    assert result.code == 0, result.err
    return folder / "out", result


@pytest.fixture(scope="module")
def scores(finished):
    return pl.read_parquet(finished[0] / "scores.parquet")


def test_the_doctor_says_what_is_to_be_fetched_and_what_it_takes(services, folder, values, tmp_path):
    (tmp_path / "run.toml").write_text(toml(values))
    place = {"hub": services[0], "home": tmp_path / "home"}
    result = run("doctor", "--study", tmp_path / "run.toml", "--out", tmp_path, **place)
    assert result.code == 0, result.err
    for line in (
        "model learned-1m@main: to fetch: someone/learned-1m @ ",
        "facts capitals: to fetch: McGill-NLP/country_capital_qa @ ",
        "counts: to fetch: index v4_dolma-v1_7_llama",
        "extra hub: ready",
    ):
        assert line in result.out
    assert result.out.splitlines()[-1] == "ready"
    assert not (tmp_path / "home").exists() or not list((tmp_path / "home").rglob("*.safetensors"))


def test_the_doctor_names_all_that_is_missing(services, folder, values, tmp_path):
    wrong = values | {
        "checkpoints": [
            {"model": "someone/pickled-1m"},
            {"model": "someone/none-1m"},
            {"model": str(tmp_path / "m")},
        ],
        "facts": {"tables": [{"file": str(tmp_path / "none.csv")}, {"set": "zsre", "hub": "someone/none"}]},
        "counts": {"table": str(tmp_path / "counts.parquet")},
    }
    (tmp_path / "run.toml").write_text(toml(wrong))
    result = run("doctor", "--study", tmp_path / "run.toml", hub=services[0], home=tmp_path / "home")
    assert result.code == 2 and result.err == ""
    for line in (
        "model pickled-1m: missing: someone/pickled-1m holds pickled weights only (pytorch_model.bin)",
        "model none-1m: missing: cannot fetch someone/none-1m from the hub: there is none of that name",
        "model m: missing: there is no folder",
        "facts none: missing: there is no file",
        "facts zsre: missing: cannot fetch someone/none from the hub",
        "counts: missing: there is no file",
        "disk and memory: told once nothing is missing",
    ):
        assert line in result.out
    assert result.out.splitlines()[-1] == "not ready"


def test_a_study_runs_on_what_the_hub_holds(finished, services):
    out, result = finished
    assert result.err == ""
    kinds = {
        kind: len(list(out.glob(f"{kind}/*/status"))) for kind in ("facts", "count", "split", "checkpoint")
    }
    assert kinds == {"facts": 1, "count": 1, "split": 1, "checkpoint": 2}
    assert len(list(out.glob("unlearn/*/status"))) == 2 * (3 + 1)
    fetched = [path.rsplit("/", 1)[1] for path in services[0].fetched()]
    assert "model.safetensors" in fetched and "pytorch_model.bin" not in fetched


def test_a_checkpoint_is_known_by_its_commit_and_its_hashes(finished, services, learned):
    out, _ = finished
    (path,) = out.glob("checkpoint/learned-1m-*/checkpoint.json")
    found = json.loads(path.read_text())
    assert found["revision"] == services[0].commit("models/someone/learned-1m")
    assert found["model_type"] == "olmo2"
    sizes = {one["name"]: one["size"] for one in found["files"]}
    assert sizes["model.safetensors"] == len(learned["model.safetensors"])
    assert set(sizes) == {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                          "tokenizer_config.json"}  # fmt: skip


def test_labels_are_those_given_and_else_those_of_the_configuration(scores):
    labels = (
        scores.select("family", "size", "start", "wording", "pretrain_seed", "n_params")
        .unique()
        .sort("start")
    )
    first, second = labels.rows(named=True)
    assert (first["start"], first["family"]) == ("base", "olmo2")
    assert first["size"].endswith("M") and abs(float(first["size"][:-1]) * 1e6 / first["n_params"] - 1) < 0.01
    assert (second["start"], second["family"], second["size"]) == ("instruct", "neo", "tiny")
    assert labels["wording"].unique().to_list() == ["natural"]


def test_counts_are_those_of_the_service_and_no_exposure_is_claimed(finished, scores):
    expected = {fact.subject: number % 9 for number, fact in enumerate(CAPITALS)}
    forget = scores.filter(
        pl.col("role") == "forget", pl.col("target") == "mixed", pl.col("relation") == "capital"
    )
    counts = dict(forget.select("subject", "count").unique().iter_rows())
    assert len(counts) > 40
    close = [subject for subject, count in counts.items() if count == expected[subject]]
    assert len(close) > 0.8 * len(counts)  # names within names ("Guinea") are counted more often
    assert forget["exposure"].null_count() == forget.height
    assert set(forget["bucket"]) == {0, 1}
    never = scores.filter(pl.col("role") == "never_seen")
    assert set(never["exposure"]) == {0} and set(never["count"]) == {0}
    made_up = pl.read_parquet(next(finished[0].glob("facts/*/facts.parquet"))).filter("made_up")
    assert set(never["subject"]) <= set(made_up["subject"])


def test_what_a_run_forgets_it_neither_retains_nor_spares(finished, scores):
    roles = {}
    for fact_id, role in scores.filter(method="idk").select("fact_id", "role").unique().iter_rows():
        roles.setdefault(fact_id, set()).add(role)
    assert all(found <= {"forget", "utility"} or len(found) == 1 for found in roles.values())
    books = scores.filter(pl.col("relation") == "author", pl.col("role") == "forget")
    assert set(books["method"]) == {"idk"}
    spared = scores.filter(pl.col("role") == "utility", pl.col("method") == "graddiff")
    assert {"capital", "author"} == set(spared["relation"])  # books are never touched when capitals go


def test_the_claim_on_natural_counts_is_decided(finished):
    record = json.loads((finished[0] / "analysis" / "verdicts.json").read_text())
    verdicts = {one["claim"]: one for one in record["verdicts"]}
    assert verdicts["C2"]["verdict"] in ("supported", "refuted", "undecided")
    assert verdicts["C2"]["n_facts"] > 20 and verdicts["C2"]["low"] < verdicts["C2"]["high"]
    assert verdicts["C1"]["verdict"] == "not decidable"
    known = pl.read_parquet(finished[0] / "analysis" / "known.parquet")
    rows = known.filter(
        role="forget",
        probe="question",
        metric="said",
        model="olmo2 " + size_of(finished[0]) + ", base",
    )
    assert rows["value"].min() > 0.5 and set(rows["exposure"]) == {1, 2}
    assert "Known before, by count" in (finished[0] / "report.html").read_text()


def size_of(out):
    scores = pl.read_parquet(out / "scores.parquet")
    return scores.filter(start="base")["size"][0]


def test_the_same_command_goes_on_without_the_hub(finished, folder, services):
    out, _ = finished
    before = (out / "scores.parquet").read_bytes()
    gone = next(out.glob("unlearn/learned-1m-*graddiff*/status"))
    gone.write_text("running\n")
    words = ("study", "run", folder / "run.toml", "--out", out, "--workers", 1)
    result = run(*words, hub=services[0], home=folder / "home", offline=True)
    assert result.code == 0, result.err
    assert (out / "scores.parquet").read_bytes() == before


def test_a_checkpoint_that_has_changed_since_is_refused(finished, folder, services):
    out, _ = finished
    (path,) = out.glob("checkpoint/learned-1m-*/checkpoint.json")
    weights = Path(json.loads(path.read_text())["folder"]) / "model.safetensors"
    sound = weights.read_bytes()
    weights = weights.resolve()
    status = next(out.glob("unlearn/learned-1m-*simnpo*/status"))
    status.write_text("running\n")
    words = ("study", "run", folder / "run.toml", "--out", out, "--workers", 1)
    try:
        weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        result = run(*words, hub=services[0], home=folder / "home", offline=True)
        assert result.code == 2
        assert "model.safetensors is not the file that the study began with" in result.err
    finally:
        weights.write_bytes(sound)
    assert run(*words, hub=services[0], home=folder / "home", offline=True).code == 0


def test_a_folder_serves_as_well_as_the_hub(learned, folder, values, tmp_path, services):
    model = tmp_path / "mine"
    model.mkdir()
    for name, data in learned.items():
        (model / name).write_bytes(data)
    (counts,) = (folder / "out").glob("count/*/counts.parquet")
    few = values | {
        "seeds": [0],
        "checkpoints": [{"model": str(model), "size": "1M"}],
        "counts": {"table": str(counts)},
        "methods": [{"kind": "graddiff", "learning_rate": 5e-4}],
        "targets": [{"relation": "capitals", "bucket": 1}],
    }
    (tmp_path / "run.toml").write_text(toml(few))
    words = ("study", "run", tmp_path / "run.toml", "--out", tmp_path / "out", "--workers", 1)
    result = run(*words, hub=services[0], home=folder / "home")
    assert result.code == 0, result.err
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores["target"].unique().to_list() == ["bucket-1"] and "start" not in scores.columns
    assert scores.filter(role="neighbour")["bucket"].unique().to_list() == [0]


# --- the run files of the examples, on small checkpoints of the same names and classes

CLASSES = {
    "olmo-capitals": {"allenai/OLMo-7B-0724-SFT-hf": "olmo"},
    "olmo2-1b": {"allenai/OLMo-2-0425-1B": "olmo2", "allenai/OLMo-2-0425-1B-Instruct": "olmo2"},
    "pythia-ladder": {
        f"EleutherAI/pythia-{size}-deduped": "gpt_neox"
        for size in ("70m", "160m", "410m", "1b", "1.4b", "2.8b")
    },
    "mamba-vs-pythia": {f"EleutherAI/pythia-{size}": "gpt_neox" for size in ("160m", "410m", "1.4b")}
    | {f"state-spaces/mamba-{size}-hf": "mamba" for size in ("130m", "370m", "1.4b")},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_an_example_runs_as_it_stands_but_for_its_size(name, tokenizer, tmp_path):
    values = tomllib.loads((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    named = {
        one["model"]: kind for one, kind in zip(values["checkpoints"], CLASSES[name].values(), strict=True)
    }
    assert set(named) == set(CLASSES[name])
    widths = dict(zip(CLASSES[name], range(32, 128, 16), strict=False))
    repositories = DATASETS | {
        f"models/{model}": files_of(model_of(kind, tokenizer, widths[model]), tokenizer)
        for model, kind in CLASSES[name].items()
    }
    values["seeds"] = [0]
    values["facts"]["made_up"] = 5
    for table in values["facts"]["tables"]:
        table["most"] = 30
    values["unlearn"] |= {"steps": 2, "evaluate_at": [1], "batch_size": 8}
    values["unlearn"].pop("micro_batch", None)
    values["evaluate"]["facts_per_role"] = 6
    values["prompts"] = {key: text.replace("\n", "\\n") for key, text in values["prompts"].items()}
    index = values["counts"]["index"]
    with FakeHub(repositories) as hub, FakeInfinigram([corpus()], indexes=(index,)) as counts:
        values["counts"] = counted_by(counts, tmp_path) | {"index": index}
        (tmp_path / "run.toml").write_text(toml(values))
        place = {"hub": hub, "home": tmp_path / "home"}
        result = run("doctor", "--study", tmp_path / "run.toml", "--workers", 1, **place)
        assert [line for line in result.out.splitlines() if "missing" in line] == []
        words = ("study", "run", tmp_path / "run.toml", "--out", tmp_path / "out", "--workers", 2)
        result = run(*words, **place)
        assert result.code == 0, result.err
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores["n_params"].n_unique() == len({widths[model] for model in named})
    assert scores.filter(role="forget")["count"].null_count() == 0
    assert set(scores["method"]) == {method["kind"] for method in values["methods"]}
    assert scores.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()
