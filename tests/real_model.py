"""The small real model that the README, the quickstart and the notebooks use."""

import pytest

from unequal.errors import DataError
from unequal.models.sources import download

NAME = "smollm2-135m"
UNREACHABLE = f"cannot fetch {NAME}"


@pytest.fixture(scope="session")
def real_model():
    """The name of the model, which is on this machine now; skips where it cannot be fetched."""
    try:
        download.fetch(NAME)
    except DataError as error:
        if UNREACHABLE not in str(error):
            raise
        pytest.skip(str(error))
    return NAME
