"""The claims, their rules of decision (written down before any data; `docs/claims.md` says the same) and
what the open ones need."""

from dataclasses import dataclass

MIN_PEOPLE = 20
SLOPE_MATTERS = 0.01  # forgotten share per doubling of exposure
SHARE_MATTERS = 0.05
UTILITY_MATTERS = 0.02
KAPPA_SUBSTANTIAL = 0.6  # Landis and Koch (1977)


@dataclass(frozen=True)
class Claim:
    """A claim with the rule that decides it, the unit of its effect and the figure that shows it."""

    claim: str
    statement: str
    rule: str
    unit: str
    figure: str


C1 = Claim(
    "C1",
    "The more often a fact was seen, the harder it is to unlearn.",
    "Slope of the forgotten share (averaged over evaluated steps ≥ 1, facts known before) on "
    "log2(exposure), within base "
    "models, mean of the methods: supported when its 95% interval lies below 0, refuted when it lies above "
    "0 or wholly "
    "within ±0.01 per doubling, else undecided. Also undecided when the slope at equal utility (−10%) lies "
    "above 0.",
    "forgotten share per doubling of exposure",
    "dose",
)
C3 = Claim(
    "C3",
    "It holds for every method.",
    "The slope of C1 for each method alone, p-values corrected by Holm over the methods: supported when "
    "every slope is "
    "below 0 after correction, refuted when any is above 0 after correction, else undecided. Needs two "
    "methods.",
    "largest (least negative) slope of any method",
    "methods",
)
C4 = Claim(
    "C4",
    "Generation and probability disagree about whether a fact is forgotten.",
    "At each run's step nearest to half forgotten, facts known both ways before: of those whose generated "
    "answer is wrong, "
    "the share whose right answer is still the most probable of its type, minus the same share among "
    "never-seen facts. "
    "Supported when its 95% interval lies above 0 and that of kappa below 0.6, refuted when it lies below 0 "
    "or "
    "wholly within ±0.05, or when that of kappa lies above 0.6, else undecided.",
    "hidden share above never-seen",
    "agreement",
)
C6 = Claim(
    "C6",
    "Unlearning one format (question) leaves the fact in another (statement).",
    "Facts known in both formats before, most probable of same-type answers, corrected for the never-seen "
    "rate: share left "
    "in the held-out statement (cloze) minus share left in the question, averaged over steps ≥ 1 that score "
    "both. Supported "
    "when its 95% interval lies above 0, refuted when it lies below 0 or wholly within ±0.05, else "
    "undecided.",
    "share left in the statement minus share left in the question",
    "formats",
)
C7 = Claim(
    "C7",
    "At equal forgetting, frequent targets cost more utility.",
    "Runs that unlearn one level alone, read where half of the facts known before are forgotten: utility "
    "lost at the highest "
    "level minus at the lowest, mean of the methods that reach half at both. Supported when its 95% "
    "interval lies above 0, refuted when it "
    "lies below 0 or wholly within ±0.02, else undecided.",
    "utility lost, highest minus lowest level",
    "cost",
)
R2 = Claim(
    "R2",
    "Rival: not frequency but starting confidence.",
    "The slope of C1 adjusted for the starting log-probability. Only when C1 is supported: supported when "
    "the adjusted "
    "interval lies wholly within ±0.01 per doubling or above 0, refuted when it lies below 0, else "
    "undecided. "
    "Confidence is partly made by exposure, so the adjusted slope is what exposure does beyond confidence.",
    "forgotten share per doubling of exposure, adjusted",
    "dose",
)
DECIDED = (C1, C3, C4, C6, C7, R2)

OPEN = {
    "C2": (
        "The same holds for natural counts in a real corpus.",
        "a study whose facts carry natural counts; exposures that were assigned cannot show it",
    ),
    "C5": (
        "The disagreement grows with model size.",
        "at least three model sizes with equal data and exposures, compared at matched starting knowledge",
    ),
    "C8": (
        "A method that knows the counts does better than one that does not.",
        "runs of one method with count weights, shuffled counts (placebo) and starting confidence as the "
        "count",
    ),
    "R1": (
        "Rival: not frequency but variety of wording.",
        "the same exposures as verbatim copies and as more epochs, beside re-rendered ones",
    ),
    "R3": (
        "Rival: answer length, tokenisation, rarity of the object, distance to the retain set.",
        "these covariates in the score table; random assignment of people to levels balances them on "
        "average, and the "
        "relation is adjusted for in the table of slopes",
    ),
    "R4": ("Rival: a base or instruction-tuned start reverses the sign.", "both starts of the same model"),
    "R5": (
        "Rival: larger models are harder and damage neighbours more.",
        "at least three model sizes with equal data and exposures",
    ),
    "R6": (
        "Rival: bf16 rounding of tiny updates looks like hard to unlearn.",
        "the same runs with fp32 and with bf16 master weights",
    ),
    "R7": (
        "Rival: the disagreement of C4 comes from a badly built metric.",
        "null models (empty answer, echo, uniform logits) scored on this study's facts; the never-seen "
        "facts are the null "
        "used here",
    ),
}
