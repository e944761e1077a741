"""Run lm-eval's tasks on a model that is loaded already: the unlearned one, never the one it came from."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from transformers import PreTrainedModel

from unequal.errors import ConfigError, DataError, MissingExtraError, did_you_mean
from unequal.facts.probes import Chat
from unequal.lm_eval_bridge.settings import TaskSettings
from unequal.lm_eval_bridge.trust import check_task_folder, without_code
from unequal.oom import is_out_of_memory
from unequal.scoring.chat import chat_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TASK_SCHEMA: dict[str, type[pl.DataType]] = {
    "task": pl.String,
    "metric": pl.String,
    "filter": pl.String,  # what lm-eval did to the generated text first
    "value": pl.Float64,
    "standard_error": pl.Float64,
    "higher_is_better": pl.Boolean,
    "n": pl.Int64,  # documents judged
    "version": pl.String,  # of the task
}
FEWSHOT_SEED = 1234
BOOTSTRAP_DRAWS = 1000  # for the errors of metrics that are no means


def check_tasks(settings: TaskSettings) -> None:
    """Raise what `run_tasks` raises without lm-eval, or for a folder that is missing or would run code."""
    if find_spec("lm_eval") is None:
        raise MissingExtraError("running lm-eval's tasks", "lm-eval")
    if settings.task_dir is not None:
        check_task_folder(settings.task_dir)


def run_tasks(
    model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", settings: TaskSettings
) -> pl.DataFrame:
    """Return one row a task and metric with its value, for the model as it is now.

    Raises `MissingExtraError` without lm-eval, `ConfigError` for a task that nobody knows, a folder of tasks
    that would run code nobody allowed or a chat that the tokenizer has no template for, and `DataError` when
    a task cannot be run or its data cannot be had. Source: Gao et al., the Language Model Evaluation Harness.
    """
    check_tasks(settings)
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if settings.chat:
        chat_text(tokenizer, "A question?", Chat(settings.system))  # lm-eval only warns of what this refuses
    manager = _manager(settings.tasks, settings.task_dir)
    try:
        with without_code(settings.task_dir):
            found = simple_evaluate(
                HFLM(pretrained=model, tokenizer=tokenizer, batch_size=settings.batch_size),
                tasks=list(settings.tasks),
                task_manager=manager,
                limit=settings.limit,
                num_fewshot=settings.n_fewshot,
                apply_chat_template=settings.chat,
                system_instruction=settings.system,
                bootstrap_iters=BOOTSTRAP_DRAWS,
                log_samples=False,
                random_seed=None,  # the state of the program's own generators is not lm-eval's to set
                numpy_random_seed=None,
                torch_random_seed=None,
                fewshot_random_seed=FEWSHOT_SEED,
            )
    except Exception as error:  # whatever a task file, its data or the hub does to lm-eval
        if is_out_of_memory(error):
            raise
        raise DataError(f"lm-eval cannot run {', '.join(settings.tasks)}: {_reason(error)}") from error
    return _rows(found or {})


def _manager(tasks: Sequence[str], task_dir: Path | None) -> Any:
    """Return lm-eval's index of tasks; its own, which takes seconds to read, only where it is needed."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=task_dir, include_defaults=False)
    if not set(tasks) <= set(manager.all_tasks):
        manager = TaskManager(include_path=task_dir)
    for name in tasks:
        if name not in manager.all_tasks:
            here = f" or in {task_dir}" if task_dir else "; for tasks of your own give --task-dir"
            raise ConfigError(f"no task '{name}' in lm-eval{here}{did_you_mean(name, manager.all_tasks)}")
    return manager


def _rows(found: dict[str, Any]) -> pl.DataFrame:
    """Return the table of lm-eval's results; its keys are ``metric,filter`` and ``metric_stderr,filter``."""
    rows = []
    for task, values in found.get("results", {}).items():
        for key, value in values.items():
            metric, _, which = key.partition(",")
            if not which or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = values.get(f"{metric}_stderr,{which}")
            rows.append(
                {
                    "task": task,
                    "metric": metric,
                    "filter": which,
                    "value": float(value),
                    "standard_error": error if isinstance(error, float) else None,
                    "higher_is_better": found["higher_is_better"].get(task, {}).get(metric),
                    "n": found["n-samples"].get(task, {}).get("effective"),
                    "version": str(found["versions"].get(task, "")),
                }
            )
    return pl.DataFrame(rows, schema=TASK_SCHEMA)


def _reason(error: Exception) -> str:
    """Return the last line of what an error says; of some only the kind says anything."""
    last = (str(error).strip().splitlines() or [""])[-1]
    plain = isinstance(error, OSError | ValueError | AssertionError | RuntimeError) and last
    return last if plain else f"{type(error).__name__} {last}".strip()
