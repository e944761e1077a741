"""The claims with their decision rules, fixed before any data, as in `docs/claims.md`."""

from dataclasses import dataclass

MIN_PEOPLE = 20
LEVEL_OF_TEST = 0.05
SLOPE_MATTERS = 0.01  # forgotten share per doubling of exposure
SHARE_MATTERS = 0.05
UTILITY_MATTERS = 0.02
SIZE_MATTERS = 0.015  # hidden share per doubling of parameters: 0.05 over a tenfold range of size
MIN_SIZES = 4
MIN_SIZES_HARDER = 3
COUNT_MATTERS = 0.033  # forgotten share per tenfold count: 0.01 per doubling
KAPPA_SUBSTANTIAL = 0.6  # Landis and Koch (1977)


@dataclass(frozen=True)
class Claim:
    """A claim with the rule that decides it, its effect's unit and figure, and what its rule needs."""

    claim: str
    statement: str
    rule: str
    unit: str
    figure: str
    needs: str = ""


C1 = Claim(
    "C1",
    "The more often a fact was seen, the harder it is to unlearn.",
    "Slope of the forgotten share (averaged over evaluated steps ≥ 1, facts known before) on "
    "log2(exposure), within base models, mean of the methods: supported when its 95% interval lies below 0, "
    "refuted when it lies above 0 or wholly within ±1 point per doubling, else undecided. Also undecided "
    "when the slope at equal utility (−10%) lies above 0.",
    "forgotten share per doubling of exposure",
    "dose",
)
C2 = Claim(
    "C2",
    "The same holds for natural counts in a real corpus.",
    "Facts with natural counts that were known before: slope of the forgotten share (averaged over evaluated "
    "steps ≥ 1) on log10(1 + count), within base models and relations, adjusted for answer tokens and object "
    "rarity, mean of the methods: supported when its 95% interval lies below 0, refuted when it lies above 0 "
    "or wholly within ±3.3 points per tenfold count, else undecided. Also undecided when the same slope at "
    "equal utility (−10%) lies above 0. Counts were not assigned, so what is not adjusted for may stand "
    "behind the slope.",
    "forgotten share per tenfold count, adjusted",
    "natural",
    "a study whose facts carry natural counts; exposures that were assigned cannot show it",
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
    "wholly within ±5 points, or when that of kappa lies above 0.6, else undecided.",
    "hidden share above never-seen",
    "agreement",
)
C5 = Claim(
    "C5",
    "The disagreement grows with model size.",
    "At least four sizes trained alike, and the same facts at every size: those known both ways before at "
    "all of them. Slope of C4's hidden share above never-seen (at each run's step nearest to half of these "
    "facts forgotten, mean of the methods) on log2(parameters). Its interval reaches as far, at each end, "
    "as the wider of two: the bootstrap over people, and Student's interval of a line through the base "
    "models, whose scatter holds the seeds. Supported when it lies above 0, refuted when it lies below 0 "
    "or wholly within ±1.5 points per doubling, else undecided. Also undecided when the slope at equal "
    "forgetting (half, read between evaluated steps) is not above 0.",
    "hidden share above never-seen per doubling of parameters",
    "sizes",
)
C6 = Claim(
    "C6",
    "Unlearning one format (question) leaves the fact in another (statement).",
    "Facts known in both formats before, most probable of same-type answers, corrected for the never-seen "
    "rate: share left "
    "in the held-out statement (cloze) minus share left in the question, averaged over steps ≥ 1 that score "
    "both. Supported "
    "when its 95% interval lies above 0, refuted when it lies below 0 or wholly within ±5 points, else "
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
    "lies below 0 or wholly within ±2 points, else undecided.",
    "utility lost, highest minus lowest level",
    "cost",
)
C8 = Claim(
    "C8",
    "A method that knows the counts does better than one that does not.",
    "Runs of one method on the same facts, weighted by count, uniformly, by shuffled counts and by starting "
    "confidence: forgotten share of the facts known before (levels counting equally) under count weights "
    "minus that under each of the three rivals, at equal steps and at equal utility (−10%), mean of the "
    "methods. Supported when all six 95% intervals lie above 0, refuted when any at equal utility lies below "
    "0 or wholly within ±5 points, else undecided. The effect shown is the smallest at equal utility.",
    "forgotten share under count weights minus under the best rival",
    "methods",
    "runs of one method with count weights, uniform weights, shuffled counts (placebo) and starting "
    "confidence as the count",
)
R1 = Claim(
    "R1",
    "Rival: not frequency but variety of wording.",
    "The rule of C1 applied to each wording arm, over the methods and models found in every arm. Refuted "
    "when C1 is supported in every arm whose repetitions bring no new wording (verbatim, epochs); "
    "supported when it is supported in the arm rerendered and refuted in every arm without new wording; "
    "else undecided. The effect shown is the largest (least negative) slope of the arms without new "
    "wording.",
    "forgotten share per doubling of exposure, without new wording",
    "wording",
    "the same exposures as verbatim copies or as more epochs, beside re-rendered ones",
)
R2 = Claim(
    "R2",
    "Rival: not frequency but starting confidence.",
    "The slope of C1 adjusted for the starting log-probability. Only when C1 is supported: supported when "
    "the adjusted "
    "interval lies wholly within ±1 point per doubling or above 0, refuted when it lies below 0, else "
    "undecided. "
    "Confidence is partly made by exposure, so the adjusted slope is what exposure does beyond confidence.",
    "forgotten share per doubling of exposure, adjusted",
    "dose",
)
R3 = Claim(
    "R3",
    "Rival: answer length, tokenisation, rarity of the object, distance to the retain set.",
    "The slope of C1 within base models and relations, adjusted for answer tokens and object rarity (how "
    "many of the scored facts of the relation share the answer). Only when C1 is supported: supported "
    "when the adjusted interval lies wholly within ±1 point per doubling or above 0, refuted when it lies "
    "below 0, else undecided. Distance to the retain set is not in the score table and is not adjusted "
    "for.",
    "forgotten share per doubling of exposure, adjusted",
    "dose",
    "answer probabilities in the score table and the answers beside it, in generations.parquet",
)
R4 = Claim(
    "R4",
    "Rival: a base or instruction-tuned start reverses the sign.",
    "The slope of C1 for base and for instruction-tuned starts, over the methods and models found with both: "
    "supported when one 95% interval lies below 0 and the other above 0, refuted when both lie on the same "
    "side of 0, else undecided. The effect shown is the larger slope.",
    "forgotten share per doubling of exposure, the larger of both starts",
    "interactions",
    "both starts of the same model, named base and instruct in a column start of the score table",
)
R5 = Claim(
    "R5",
    "Rival: larger models are harder and damage neighbours more.",
    "At least three sizes trained alike, and the same facts at every size: those known before at all of "
    "them. Two slopes on log2(parameters), mean of the methods, with intervals as in C5: of the forgotten"
    " share at equal steps (harder), and of the neighbours' utility lost where half of these facts are "
    "forgotten (more damage). Supported when the first lies below 0 and the second above 0, refuted when "
    "either lies on the other side or wholly within ±1.5 points per doubling, else undecided. The effect "
    "shown is the first.",
    "forgotten share per doubling of parameters",
    "sizes",
    "at least three model sizes that know the same facts, with equal data and exposures",
)
R6 = Claim(
    "R6",
    "Rival: bf16 rounding of tiny updates looks like hard to unlearn.",
    "The rule of C1 applied to runs with fp32 and with bf16 master weights, over the methods and models "
    "found with both. Refuted when C1 is supported with fp32; supported when it is supported with bf16 "
    "and refuted with fp32; else undecided. The effect shown is the slope with fp32.",
    "forgotten share per doubling of exposure, fp32",
    "interactions",
    "the same runs with fp32 and with bf16 master weights, named so in a column precision of the score table "
    "(precisions of a run file: bf16-pure beside bf16 or fp32)",
)
R7 = Claim(
    "R7",
    "Rival: the disagreement of C4 comes from a badly built metric.",
    "Only when C4 is supported. Never-seen facts, in which a sound metric finds nothing: their choice "
    "accuracy at the steps that C4 reads minus that at step 0, and, when scored, their hits minus false "
    "alarms in true/false statements after step 0, each the mean of the methods. Refuted when every 95% "
    "interval lies wholly within ±5 points, supported when any lies wholly outside, else undecided. The "
    "effect shown is the one farther from 0.",
    "score of never-seen facts above chance",
    "agreement",
    "never-seen facts scored by choice accuracy at step 0 and after",
)
