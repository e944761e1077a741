"""A training's folder, held for one set of settings: which they were, and whether it was finished."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unequal.checksums import is_own_json, read_checked_json, verify_folder, warn_remade, write_checked_json
from unequal.errors import ConfigError, DamagedError
from unequal.models.distributed import broadcast_from_main, is_main_process, wait_for_everyone
from unequal.temporary import remove_leftovers_below

CONFIG = "config.json"
MANIFEST = "manifest.json"


@contextmanager
def claimed(out: Path, settings: Mapping[str, Any]) -> Iterator[bool]:
    """Yield whether the training of these settings was finished in the folder, which remembers them.

    What is damaged there is noted and made anew. When the block fails with nothing to go on from, the folder
    does not remember them. Raises `ConfigError` for a folder that was begun with other settings.
    """
    finished = broadcast_from_main(lambda: _is_finished(out, settings))
    wait_for_everyone()  # before the first of several processes writes there
    if is_main_process():
        remove_leftovers_below(out)
        write_checked_json(out / CONFIG, settings)
    try:
        yield finished
    except BaseException:
        if is_main_process() and not (_can_go_on(out) or (out / MANIFEST).exists()):
            (out / CONFIG).unlink(missing_ok=True)
            with suppress(OSError):
                out.rmdir()
        raise


def _can_go_on(out: Path) -> bool:
    return any((out / "checkpoints").glob("step-*"))


def _is_finished(out: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether there is a whole model of these settings."""
    try:
        if (out / CONFIG).is_file() and read_checked_json(out / CONFIG, "") != settings:
            raise ConfigError(f"{out} was begun with other settings; choose another --out or delete it")
        if not (out / MANIFEST).is_file():
            return False
        verify_folder(out / "model", required=True)
    except DamagedError as error:
        if error.folder == str(out / CONFIG) and not is_own_json(out / CONFIG, *settings):
            raise ConfigError(
                f"{out} was begun with other settings; choose another --out or delete it"
            ) from error
        warn_remade(error.folder, error.what)
        (out / MANIFEST).unlink(missing_ok=True)
        if error.folder == str(out / CONFIG):  # who knows of which settings they are
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
        return False
    return True
