"""A simulated study whose truth is known: the share of evaluated steps at which a fact is wrong is linear
in log2(exposure)."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.files import write_table

RELATIONS = ("birth_city", "university", "employer")


@dataclass(frozen=True)
class Truth:
    slope: float = -0.08  # forgotten share per doubling of exposure
    hidden: float = 0.5  # chance that a forgotten fact's right answer stays the most probable
    people_per_level: int = 24
    exposures: tuple[int, ...] = (30, 60, 120, 240, 480)
    never_seen: int = 24
    methods: tuple[str, ...] = ("ga", "npo")
    seeds: tuple[int, ...] = (0, 1, 2)
    pretrain_seeds: tuple[int, ...] = (0,)
    steps: tuple[int, ...] = (0, 1, 2, 5, 10, 20)
    single_levels: bool = False
    known_share: float = 0.95
    person_spread: float = 0.05
    seed_spread: float = 0.03
    utility_people: int = 20
    middle: float = 0.55
    cloze_extra: int = 1  # evaluated steps by which the statement outlives the question
    level_cost: float = 0.02  # utility lost per doubling when a level alone is unlearned
    relations: tuple[str, ...] = RELATIONS


def simulate(truth: Truth = Truth(), seed: int = 0, names: dict[str, str] | None = None):
    """Return scores and generations of a simulated study."""
    rng = np.random.default_rng(seed)
    rows, texts = [], []
    for pretrain_seed in truth.pretrain_seeds:
        people = _people(truth, rng, pretrain_seed)
        for method_number, method in enumerate(truth.methods):
            for one_seed in truth.seeds:
                shift = rng.normal(0, truth.seed_spread)
                targets = ["mixed"]
                if truth.single_levels:
                    targets += [f"level-{level}" for level in (truth.exposures[0], truth.exposures[-1])]
                for target in targets:
                    run = {
                        "study": "simulated",
                        "run_id": f"{method}-{target}-p{pretrain_seed}-s{one_seed}",
                        "family": "gpt2",
                        "size": "2m",
                        "n_params": 2_000_000,
                        "wording": "rerendered",
                        "pretrain_seed": pretrain_seed,
                        "method": method,
                        "weighting": "uniform",
                        "target": target,
                        "seed": one_seed,
                    }
                    chosen = [
                        p
                        for p in people
                        if p["role"] != "forget" or target in ("mixed", f"level-{p['exposure']}")
                    ]
                    _run(truth, rng, run, chosen, shift - 0.05 * method_number, rows, texts)
    scores = pl.DataFrame(rows, schema=SCORE_SCHEMA, orient="row")
    generations = pl.DataFrame(texts, schema=GENERATION_SCHEMA, orient="row")
    if names:
        scores = scores.with_columns(pl.col("subject").replace(names))
    return scores, generations


def _people(truth, rng, pretrain_seed):
    people = []
    for number, exposure in enumerate(np.repeat(truth.exposures, truth.people_per_level)):
        name = f"Person {pretrain_seed}-{number}"
        people.append({"name": name, "exposure": int(exposure), "role": "forget"})
    people += [
        {"name": f"Nobody {pretrain_seed}-{n}", "exposure": 0, "role": "never_seen"}
        for n in range(truth.never_seen)
    ]
    for n in range(truth.utility_people):
        people.append({"name": f"Keeper {pretrain_seed}-{n}", "exposure": 120, "role": "utility"})
    people += [{**one, "role": "neighbour"} for one in people if one["role"] == "forget"][::3]
    for person in people:
        person["effect"] = rng.normal(0, truth.person_spread)
        person["known"] = {relation: rng.random() < truth.known_share for relation in truth.relations}
        person["start"] = -0.6 + 0.08 * np.log2(max(person["exposure"], 1)) / 1.5 + rng.normal(0, 0.05)
    return people


def _run(truth, rng, run, people, shift, rows, texts):
    middle = np.mean(np.log2(truth.exposures))
    n_after = len(truth.steps) - 1
    for person in people:
        for relation in truth.relations:
            known = person["known"][relation]
            if person["role"] == "neighbour":
                relation = f"{relation} (other)"
            fact = f"{person['name']}/{relation}"
            p_forgotten = truth.middle + truth.slope * (np.log2(max(person["exposure"], 1)) - middle)
            p_forgotten = float(np.clip(p_forgotten + person["effect"] + shift, 0, 1))
            stays = n_after - rng.binomial(
                n_after, p_forgotten
            )  # evaluated steps after 0 at which it is still right
            if person["role"] in ("utility", "neighbour"):
                cost = 0.1 if person["role"] == "neighbour" else 0.0
                if run["target"] != "mixed":
                    cost += truth.level_cost * np.log2(int(run["target"].split("-")[1]) / truth.exposures[0])
                fails = rng.random() < 0.15 + cost
                stays = int(rng.integers(0, max(n_after, 1))) if fails else n_after
            if person["role"] == "never_seen":
                stays, known = -1, False
            hidden = rng.random() < truth.hidden
            for index, step in enumerate(truth.steps):
                right = known and index <= stays
                _fact(
                    rng,
                    run,
                    person,
                    relation,
                    fact,
                    step,
                    right,
                    known,
                    hidden,
                    index <= stays + truth.cloze_extra,
                    rows,
                )
                if person["role"] == "forget":
                    said = "Springfield" if right else "Shelbyville, or so"
                    texts.append(
                        (
                            run["run_id"],
                            step,
                            fact,
                            "question",
                            f"Where is {person['name']} from?",
                            "Springfield",
                            said,
                        )
                    )


def _fact(rng, run, person, relation, fact, step, right, known, hidden, cloze_right, rows):
    def add(probe, metric, kind, value):
        rows.append(
            (
                *run.values(),
                step,
                fact,
                person["name"],
                relation,
                person["role"],
                person["exposure"],
                None,
                probe,
                metric,
                kind,
                float(value),
                None,
            )
        )

    never = person["role"] == "never_seen"
    chance = rng.random() < 0.25
    choice = chance if never or not known else (right or hidden or chance)
    prob = np.clip((0.8 if right else 0.3 if choice else 0.05) + rng.normal(0, 0.05), 0.001, 1)
    add("question", "said", "generation", right)
    add("question", "rouge_l_recall", "generation", right)
    add("question", "choice_accuracy", "probability", choice)
    add("question", "answer_prob", "probability", prob)
    add("question", "answer_log_prob", "probability", person["start"] if step == 0 else np.log(prob))
    if person["role"] in ("forget", "never_seen"):
        cloze = chance if never or not known else (cloze_right or hidden or chance)
        add("cloze", "choice_accuracy", "probability", cloze)
        add("cloze", "answer_prob", "probability", np.clip(prob + 0.1 * cloze, 0, 1))
        add("paraphrase", "said", "generation", right)
        if step == 0 or step == 20:
            add("true_false", "true_false_hit", "probability", rng.random() < (0.9 if right else 0.5))
            add("true_false", "true_false_false_alarm", "probability", rng.random() < (0.1 if right else 0.5))


def write_study(folder, truth: Truth = Truth(), seed: int = 0, names: dict[str, str] | None = None):
    """Write a simulated study folder and return it."""
    scores, generations = simulate(truth, seed, names)
    write_table(scores, folder / "scores.parquet")
    write_table(generations, folder / "generations.parquet")
    return folder


def relabelled(truth, seed=0, **labels):
    """Return the scores of one arm, its columns and run ids named after it."""
    scores, _ = simulate(truth, seed)
    name = pl.lit(" ".join(map(str, labels.values())) + " ")
    return scores.with_columns(
        *[pl.lit(value).alias(column) for column, value in labels.items()]
    ).with_columns(run_id=name + pl.col("run_id"))


def natural(truth, seed=0, tokens=None):
    """Return a study whose facts carry counts and no exposure, with answers of this many tokens."""
    scores, generations = simulate(truth, seed)
    count = pl.when(pl.col("role") == "forget").then(pl.col("exposure"))
    scores = scores.with_columns(count=count, exposure=pl.lit(None, pl.Int64))
    n = (pl.col("fact_id").hash(1) % 3 + 1).cast(pl.Float64) if tokens is None else tokens
    right = pl.col("value").clip(0.01, 0.99)
    prob = scores.filter(pl.col("metric") == "answer_prob").with_columns(value=right)
    log_prob = prob.with_columns(metric=pl.lit("answer_log_prob"), value=right.log() * n)
    rest = scores.filter(~pl.col("metric").is_in(["answer_prob", "answer_log_prob"]))
    questions = log_prob.filter(pl.col("probe") == "question")
    return pl.concat([rest, prob, questions]), generations
