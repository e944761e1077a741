"""Settings that are wrong are named with their place, the value found, and what is allowed."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from unequal.cli.options import settings_from
from unequal.config import build, read_toml
from unequal.errors import ConfigError


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(Strict):
    spokes: int = Field(default=8, ge=1)
    maker: str = "own"


class Frame(Strict):
    width: float = 1.0
    wheel: Wheel = Wheel()


class Bicycle(Strict):
    name: str
    gears: int | None = Field(default=None, ge=1)
    light: bool = False
    frame: Frame = Frame()
    wheels: tuple[Wheel, ...] = Field(default=(Wheel(),), min_length=1)


def sentence(**values):
    with pytest.raises(ConfigError) as caught:
        build(Bicycle, {"name": "x"} | values, "bike.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"gaers": 3},
            "unknown key 'gaers'; did you mean 'gears'? (known: name, gears, light, frame, wheels)",
        ),
        ({"qqqq": 3}, "unknown key 'qqqq' (known: name, gears, light, frame, wheels)"),
        ({"frame": {"widht": 1}}, "unknown key 'frame.widht'; did you mean 'width'? (known: width, wheel)"),
        (
            {"frame": {"wheel": {"spoke": 1}}},
            "unknown key 'frame.wheel.spoke'; did you mean 'spokes'? (known: spokes, maker)",
        ),
        (
            {"wheels": [{}, {"makr": "a"}]},
            "unknown key 'wheels.1.makr'; did you mean 'maker'? (known: spokes, maker)",
        ),
        ({"wheels": [{"spokes": 0}]}, "wheels.0.spokes: found 0; it should be greater than or equal to 1"),
        ({"wheels": []}, "wheels: found []; it should be a list of at least 1"),
        ({"wheels": 3}, "wheels: found 3; it should be a list"),
        ({"wheels": [3]}, "wheels.0: found 3; it should be a table"),
        ({"frame": []}, "frame: found []; it should be a table"),
        ({"gears": "many"}, "gears: found 'many'; it should be a whole number"),
        ({"gears": 1.5}, "gears: found 1.5; it should be a whole number"),
        ({"frame": {"width": "wide"}}, "frame.width: found 'wide'; it should be a number"),
        ({"light": "dim"}, "light: found 'dim'; it should be true or false"),
        ({"name": 3}, "name: found 3; it should be a text"),
    ],
    ids=str,
)
def test_one_wrong_setting_is_one_sentence(values, expected):
    assert sentence(**values) == f"bike.toml: {expected}"


def test_a_missing_setting_is_named():
    with pytest.raises(ConfigError, match=r"^bike\.toml: 'name' is required$"):
        build(Bicycle, {}, "bike.toml")


def test_several_wrong_settings_are_all_listed():
    message = sentence(name=3, gears=0, frame={"wheel": {"a": 1}}, wheels=[{"spokes": "x"}])
    assert message == (
        "bike.toml has 4 wrong settings: name: found 3; it should be a text;"
        " gears: found 0; it should be greater than or equal to 1;"
        " unknown key 'frame.wheel.a' (known: spokes, maker);"
        " wheels.0.spokes: found 'x'; it should be a whole number"
    )


def test_good_settings_come_back():
    built = build(Bicycle, {"name": "x", "wheels": [{"spokes": 3}, {}]}, "bike.toml")
    assert [wheel.spokes for wheel in built.wheels] == [3, 8]


def toml_error(path):
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('name = "a"\nseeds = [0\nother = 3\n')
    assert "is not valid TOML" in toml_error(path)
    assert "line 3" in toml_error(path)
    path.write_text("a = 1\na = 2\n")
    assert "line 2" in toml_error(path)


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes('name = "Zürich"'.encode("latin-1"))
    assert "is not UTF-8 (byte 9); save it as UTF-8" in toml_error(path)


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path):
    assert "No such file" in toml_error(tmp_path / "none.toml")
    assert "Is a directory" in toml_error(tmp_path)


def test_flags_win_over_the_file_and_fill_its_tables(tmp_path):
    path = tmp_path / "bike.toml"
    path.write_text('name = "file"\ngears = 3\n[frame]\nwidth = 2.0\n')
    flags = {"name": "flag", "gears": None, "frame.wheel.spokes": 5}
    built = settings_from(Bicycle, path, flags)
    assert (built.name, built.gears, built.frame.width, built.frame.wheel.spokes) == ("flag", 3, 2.0, 5)


def test_flags_alone_are_called_the_command_line():
    with pytest.raises(ConfigError, match=r"^command line: frame\.width: found 'x'; it should be a number$"):
        settings_from(Bicycle, None, {"name": "x", "frame.width": "x"})


def test_a_flag_into_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "bike.toml"
    path.write_text('name = "file"\nframe = "steel"\n')
    with pytest.raises(ConfigError, match=r"frame: found 'steel'; it should be a table, since a flag sets"):
        settings_from(Bicycle, path, {"frame.width": 1.0})
