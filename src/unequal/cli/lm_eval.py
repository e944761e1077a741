"""``unequal lm-eval``."""

from typing import Any

from unequal.cli.flags import takes
from unequal.cli.options import hint_chat, require_training
from unequal.console import progress_bar, say, show_table
from unequal.files import check_file_name, write_json
from unequal.lm_eval_bridge.settings import TaskCommand
from unequal.manifest import manifest


@takes(TaskCommand)
def lm_eval(settings: TaskCommand) -> None:
    """Evaluate a model by tasks of lm-eval, such as arc_easy, or by tasks of your own."""
    if settings.out is not None:
        check_file_name(settings.out, "tasks.json")
    require_training("judging a model")
    from unequal.lm_eval_bridge.run import check_tasks, run_tasks
    from unequal.models.checkpoint import load

    check_tasks(settings)
    hint_chat(settings.model, settings.chat)
    model, tokenizer = load(settings.model, merge_adapter=settings.merge_adapter)
    with progress_bar("running tasks of lm-eval"):
        scores = run_tasks(model, tokenizer, settings)
    rows = [(row["task"], row["metric"], *_numbers(row), row["n"]) for row in scores.iter_rows(named=True)]
    show_table("Scores by lm-eval", ["task", "metric", "value", "standard error", "documents"], rows)
    if settings.out is not None:
        made = {"settings": settings.model_dump(mode="json"), **manifest()}
        write_json(settings.out, {"results": scores.to_dicts(), **made})
        say(f"written to {settings.out}")


def _numbers(row: dict[str, Any]) -> tuple[str, str]:
    error = row["standard_error"]
    return f"{row['value']:.4f}", "" if error is None else f"{error:.4f}"
