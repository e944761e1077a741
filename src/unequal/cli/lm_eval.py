"""``unequal lm-eval``."""

from pathlib import Path
from typing import Any

from unequal.cli.options import hint_chat, require_training, settings_from
from unequal.console import say, show_table


def lm_eval(
    *,
    model: str | None = None,
    tasks: str | None = None,
    task_dir: Path | None = None,
    limit: int | None = None,
    n_fewshot: int | None = None,
    batch_size: int | None = None,
    chat: bool | None = None,
    system: str | None = None,
    out: Path | None = None,
    merge_adapter: bool | None = None,
    config: Path | None = None,
) -> None:
    """Judge a model by tasks of lm-eval, such as arc_easy, or of one's own.

    Parameters
    ----------
    model
        Folder of a model and its tokenizer, or a name on the Hugging Face hub.
    tasks
        Names of tasks or groups, parted by commas.
    task_dir
        Folder with more task files, such as unequal facts export-lm-eval writes. Code that comes with them
        is not run unless UNEQUAL_TRUST_REMOTE_CODE names the folder.
    limit
        Documents of each task, at most. [default: all]
    n_fewshot
        Examples before each question. [default: as the task says]
    batch_size
        Rows in a forward pass. [default: 16]
    chat
        Ask in the chat template of the model's tokenizer. [default: in plain text]
    system
        What the system says first in a chat. [default: nothing]
    out
        JSON file to write.
    merge_adapter
        Add an adapter that lies beside the model's parameters to them. [default: such a folder is refused]
    config
        TOML file with any of these settings; flags win.
    """
    given = {name: value for name, value in locals().items() if name != "config"}

    from unequal.files import check_file_name, write_json
    from unequal.lm_eval_bridge.settings import TaskCommand
    from unequal.manifest import manifest

    settings = settings_from(TaskCommand, config, given)
    if settings.out is not None:
        check_file_name(settings.out, "tasks.json")
    require_training("judging a model")
    from unequal.lm_eval_bridge.run import check_tasks, run_tasks
    from unequal.models.checkpoint import load

    check_tasks(settings)
    hint_chat(settings.model, settings.chat)
    model, tokenizer = load(settings.model, merge_adapter=settings.merge_adapter)
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
