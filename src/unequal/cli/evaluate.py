"""``unequal evaluate``."""

from pathlib import Path

from unequal.cli.options import hint_chat, prompt_flags, require_training, settings_from
from unequal.cli.scores import say_known, show_scores
from unequal.console import say
from unequal.evaluation.known_by import known_of


def evaluate(
    *,
    model: str | None = None,
    facts: Path | None = None,
    chat: bool | None = None,
    system: str | None = None,
    known_by: str | None = None,
    out: Path | None = None,
    config: Path | None = None,
    metrics: list[str] | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    reference: str | None = None,
    gradient_norms: bool | None = None,
    merge_adapter: bool | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
) -> None:
    """Judge a model on facts, by what it generates and by what it finds probable.

    Parameters
    ----------
    model
        Folder of a model and its tokenizer, or a name on the Hugging Face hub.
    facts
        Fact table (.jsonl, .csv, .parquet).
    chat
        Ask in the chat template of the model's tokenizer. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    known_by
        The reading of generated texts that says what is known: answer_said, exact_match or contains_answer.
        [default: answer_said]
    out
        Folder for scores.parquet, aggregates.parquet and generations.parquet.
    config
        TOML file with any of these settings, and the tables prompts and passes.
    metrics
        A metric to compute, once for each; without it all that the passes allow. See unequal metrics.
    samples
        Texts to sample for each prompt, for the metrics of leaks.
    temperature
        Of the samples; 1 by default.
    top_p
        Share of the probability that the samples are drawn from; 1 by default.
    reference
        A model that never saw the facts, for reference_loss.
    gradient_norms
        Run a backward pass for each prompt, for gradient_norm; slow.
    merge_adapter
        Add an adapter that lies beside the model's parameters to them. [default: such a folder is refused]
    device
        auto, cpu, mps, cuda, or a card such as cuda:1. [default: auto, an accelerator if there is one]
    precision
        fp32, bf16 (products; weights stay fp32) or bf16-pure (weights too). [default: fp32]
    compile
        Let torch compile the model.
    """
    from unequal.study.stages.evaluate import EvaluateCommand, run_evaluate

    flags = {
        "model": model,
        "facts": facts,
        "out": out,
        "metrics": metrics,
        "passes.samples.n": samples,
        "passes.samples.temperature": temperature,
        "passes.samples.top_p": top_p,
        "reference": reference,
        "passes.gradient_norms": gradient_norms,
        "merge_adapter": merge_adapter,
        "device": device,
        "precision": precision,
        "compile": compile,
        **prompt_flags(chat, system),
        "known_by": known_by,
    }
    settings = settings_from(EvaluateCommand, config, flags)
    require_training("judging a model")
    hint_chat(settings.model, settings.prompts.chat)
    scores = run_evaluate(settings)
    show_scores("Means over facts", scores, [], settings.known_by)
    say_known(known_of(scores, settings.known_by))
    say(f"all scores are in {settings.out / 'scores.parquet'}")
    say(f"what needs several facts is in {settings.out / 'aggregates.parquet'}")
