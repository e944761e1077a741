"""``unequal doctor``."""

import os

from unequal.cli.options import EXTRAS, missing_libraries
from unequal.console import say, show_table


def doctor() -> None:
    """Show versions, what optional parts are installed, and what this machine has."""
    from unequal.manifest import manifest  # noqa: PLC0415

    found = manifest()
    libraries = found.pop("libraries")
    rows = [*found.items(), *libraries.items(), ("cores", len(os.sched_getaffinity(0)))]
    show_table(
        "This installation", ["what", "found"], [(key, value or "not installed") for key, value in rows]
    )
    for extra in EXTRAS:
        if missing := missing_libraries(extra):
            say(f"missing for {extra}: {', '.join(missing)}; run: pip install 'unequal[{extra}]'")
    if "torch" not in missing_libraries("train"):
        import torch  # noqa: PLC0415

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; models run on the CPU"
        say(f"GPU: {device}")
