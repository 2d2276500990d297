import pytest
from pydantic import BaseModel, Field, field_validator

from data_prep.config_files import build_config, find_named, read_config, write_config
from data_prep.errors import ConfigError


class Inner(BaseModel, extra="forbid", frozen=True):
    px: int
    name: str = "a"


class Outer(BaseModel, extra="forbid", frozen=True):
    seed: int
    parts: tuple[Inner, ...]


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("seed: 1\nparts:\n  - {px: 3}\n  - {px: 4, name: b}\n")
    return file


def test_reads_and_overrides_dotted_keys(path):
    config = read_config(Outer, path, ["seed=7", "parts.1.px=5"])
    assert (config.seed, config.parts[0].px, config.parts[1].px, config.parts[1].name) == (7, 3, 5, "b")


def test_all_problems_come_at_once_with_their_paths_and_the_known_names(path):
    with pytest.raises(ConfigError) as caught:
        read_config(Outer, path, ["sead=1", "parts.0.pix=2", "parts.1.px=wide"])
    message = str(caught.value)
    assert "3 problem(s)" in message and str(path) in message
    assert "sead: unknown key, did you mean 'seed'?; known: parts, seed" in message
    assert "parts.0.pix: unknown key, did you mean 'px'?; known: name, px" in message
    assert "parts.1.px" in message and "'wide'" in message


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match="parts: required"):
        build_config(Outer, {"seed": 1}, "here")


@pytest.mark.parametrize("override, part", [
    ("seed", "expected key=value"), ("parts.5.px=1", r"position 0\.\.1"), ("seed.x=1", "has no keys"),
])
def test_an_override_that_fits_nowhere(path, override, part):
    with pytest.raises(ConfigError, match=part):
        read_config(Outer, path, [override])


def test_not_yaml_not_a_mapping_not_there(tmp_path):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("- 1")
    for name, part in (("a", "not valid YAML"), ("b", "expected a mapping"), ("c", "no such config")):
        with pytest.raises(ConfigError, match=part):
            read_config(Outer, tmp_path / f"{name}.yaml")


def test_what_is_written_reads_back(path, tmp_path):
    config = read_config(Outer, path)
    write_config(config, tmp_path / "out.yaml")
    assert read_config(Outer, tmp_path / "out.yaml") == config


def test_an_unknown_name_lists_the_known_ones(path):
    assert find_named("c", path.parent, "config") == path
    with pytest.raises(ConfigError, match="no config 'd'; known: c"):
        find_named("d", path.parent, "config")


def test_a_list_of_wrong_items_is_not_called_too_short_as_well():
    class AtLeastOne(BaseModel, extra="forbid", frozen=True):
        parts: tuple[Inner, ...] = Field(min_length=1)

    message = r"1 problem\(s\)\n  parts\.0\.pix: unknown key, did you mean 'px'\?; known: name, px$"
    with pytest.raises(ConfigError, match=message):
        build_config(AtLeastOne, {"parts": [{"px": 1, "pix": 2}]}, "here")
    with pytest.raises(ConfigError, match="parts: Tuple should have at least 1 item"):
        build_config(AtLeastOne, {"parts": []}, "here")


def test_a_validator_speaks_for_itself():
    class Even(BaseModel, frozen=True):
        number: int

        @field_validator("number")
        @classmethod
        def _even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("expected an even number")
            return value

    with pytest.raises(ConfigError, match=r"\n  number: expected an even number, got 3$"):
        build_config(Even, {"number": 3}, "here")


def test_text_that_is_no_yaml_in_a_file_or_an_override(path, tmp_path):
    with pytest.raises(ConfigError, match=r"override 'seed=\[': the value '\[' is not valid YAML"):
        read_config(Outer, path, ["seed=["])
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: not valid YAML"):
        read_config(Outer, tmp_path / "latin.yaml")


def test_a_star_is_every_item_of_a_list(path):
    assert [part.px for part in read_config(Outer, path, ["parts.*.px=7", "parts.1.px=9"]).parts] == [7, 9]
    with pytest.raises(ConfigError, match="position 0"):
        read_config(Outer, path, ["parts.*=7"])
