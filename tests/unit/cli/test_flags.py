"""Every flag says what its setting says, wins over the file, and takes lists in one way."""

from pathlib import Path
from typing import Literal

import pytest
from cyclopts import App
from pydantic import Field

from command_line import call
from unequal.cli.app import app
from unequal.cli.flags import Names, takes
from unequal.cli.pages import COMMANDS
from unequal.console import console
from unequal.errors import ConfigError
from unequal.strict import StrictModel
from unequal.unlearning.settings import UnlearnSettings

WITH_SETTINGS = [*COMMANDS, "facts bucket", "facts world"]


class Wheel(StrictModel):
    spokes: int = Field(default=8, ge=1, description="number of spokes")
    makers: tuple[str, ...] = Field(default=("own",), description="makers")


class Bicycle(StrictModel):
    name: str = Field(description="name of the bicycle")
    brake: Literal["rim", "disc"] = Field(default="rim", description="kind of brake")
    light: bool = Field(default=True, description="whether it has a light")
    sizes: tuple[int, ...] = Field(default=(), description="sizes of the frame")
    papers: tuple[Path, ...] = Field(default=(), description="files that belong to it")
    wheel: Wheel = Wheel()


@pytest.fixture
def ride():
    """Return a function that gives words to a command and returns its settings and other arguments."""
    made = App(result_action="return_value")
    found = []

    @made.default
    @takes(Bicycle, spokes="wheel.spokes")
    def command(settings: Bicycle, *, times: int = 1, names: Names = None) -> None:
        found.append((settings, times, names))

    def run(*words):
        made(words, exit_on_error=False, print_error=False)
        return found[-1]

    return run


def arguments(command):
    """Return the shown parameters of a command by their flag, as help has them."""
    group = app
    *groups, last = command.split()
    for name in groups:
        group = group[name]
    found = group[last].assemble_argument_collection()
    return {argument.name: argument for argument in found}


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_help_and_default_of_every_flag_are_those_of_its_setting(command):
    target = app
    for name in command.split():
        target = target[name]
    function = target.default_command
    flags = arguments(command)
    for setting in function.settings:
        flag = flags[f"--{setting.key.replace('_', '-')}"]
        assert setting.meaning and flag.parameter.help == setting.text
        assert flag.parameter.show_default == (setting.default or False)
        assert flag.field_info.default is None  # so that what is in the file is not written over


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_setting_says_what_its_field_says(command):
    for setting in COMMANDS.get(command).settings:
        assert setting.meaning, setting.key


def test_a_default_is_the_field_s():
    flags = arguments("unlearn")
    steps = UnlearnSettings.model_fields["steps"]
    assert flags["--steps"].parameter.help == steps.description
    assert flags["--steps"].parameter.show_default == str(steps.default)
    assert flags["--learning-rate"].parameter.show_default == "the method's own"


def test_settings_come_from_flags_short_names_and_names_of_tables(ride):
    settings, times, names = ride(
        "--name", "a", "--spokes", "3", "--no-light", "--times", "2", "--names", "x,y"
    )
    assert (settings.name, settings.wheel.spokes, settings.light, times, names) == (
        "a",
        3,
        False,
        2,
        ["x", "y"],
    )
    assert ride("--name", "a", "--wheel.spokes", "4")[0].wheel.spokes == 4


@pytest.mark.parametrize("words", [["3,4"], ["3, 4"], ["3", "4"]])
def test_a_list_repeats_its_flag_or_has_commas(ride, words):
    flags = [part for word in words for part in ("--sizes", word)]
    assert ride("--name", "a", *flags)[0].sizes == (3, 4)
    flags = [part for word in ("p,1", "q") for part in ("--papers", word)]
    assert ride("--name", "a", *flags)[0].papers == (Path("p,1"), Path("q"))
    flags = [part for word in words for part in ("--wheel.makers", word)]
    assert ride("--name", "a", *flags)[0].wheel.makers == ("3", "4")


def test_a_flag_wins_over_the_file(ride, tmp_path):
    (tmp_path / "a.toml").write_text('name = "file"\nlight = false\n[wheel]\nspokes = 5\nmakers = ["b"]\n')
    settings = ride("--config", str(tmp_path / "a.toml"), "--name", "flag", "--spokes", "6")[0]
    assert (settings.name, settings.light, settings.wheel.spokes) == ("flag", False, 6)
    assert settings.wheel.makers == ("b",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--light"], "'name' is required"),
        (["--name", "a", "--spokes", "3", "--wheel.spokes", "4"], "wheel.spokes is given by two flags"),
        (["--name", "a", "--brake", "foot"], "brake: found 'foot'; it should be 'rim' or 'disc'"),
        (["--name", "a", "--sizes", "1,b"], "sizes.1: found 'b'; it should be a whole number"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(ride, words, said):
    with pytest.raises(ConfigError, match=said):
        ride(*words)


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_a_missing_setting_is_one_sentence(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*command.split())
    assert result.code == 2 and result.out == ""
    assert result.err.startswith("unequal: ") and result.err.count("\n") == 1


@pytest.mark.parametrize("command", [*app.resolved_commands(), "study run", "facts import"])
def test_help_is_readable_at_80_columns(command, monkeypatch):
    if command.startswith("-"):
        return
    monkeypatch.setattr(console, "width", 80)
    result = call(*command.split(), "--help")
    assert result.code == 0
    assert all(len(line) <= 80 for line in result.out.splitlines())
    assert "…" not in result.out.replace("--model …", "").replace("50, …", "")
