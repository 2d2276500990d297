"""Every command that the documents show is one that the programs take."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from data_prep.config_files import build_config
from data_prep.mixture import MixtureConfig
from train.config import TrainConfig, load_train_config

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "DATASETS.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "RESULTS.md"]
PLACEHOLDER = re.compile(r"<[^<>]*>|\.\.\.")  # something of the reader's own
PYTHON_COMMAND = re.compile(
    r"(?:python|torchrun[^`\n]*?) -m ((?:data_prep|train|export|submission|benchmarks)\.[a-z_0-9]+)([^`\n#|;]*)"
)
MAKE_COMMAND = re.compile(r"(?:^|`)make ([a-z-]+[^`\n#|;&]*)", re.MULTILINE)


class Parsed(BaseException):
    """The program took its arguments; nothing of it need run."""


def commands(pattern):
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        text = re.sub(r"`([^`\n]+)\n([^`\n]+)`", r"`\1 \2`", text)  # a code span over two lines
        for match in pattern.finditer(text):
            found.append(pytest.param(match[1], match[0], id=f"{path.name}: {' '.join(match[0].split())[:70]}"))
    return found


def words_of(text):
    return [word.strip("[]") for word in shlex.split(PLACEHOLDER.sub("placeholder", text).rstrip(".,:) "))]


@pytest.fixture
def only_parse(monkeypatch):
    """Programs end where they have taken their arguments."""
    for name in ("parse_args", "parse_intermixed_args"):
        parse = getattr(argparse.ArgumentParser, name)

        def then_stop(self, *arguments, parse=parse, **more):
            parse(self, *arguments, **more)
            raise Parsed

        monkeypatch.setattr(argparse.ArgumentParser, name, then_stop)


@pytest.mark.parametrize(("module_name", "command"), commands(PYTHON_COMMAND))
def test_a_shown_command_is_taken_by_its_program(module_name, command, only_parse, monkeypatch, capsys):
    words = words_of(command.partition(module_name)[2].split("  ")[0])
    module = importlib.import_module(module_name)
    if not words:
        return  # the program's name alone, in a sentence; that it exists is known now
    monkeypatch.setattr(sys, "argv", [module_name, *words])
    try:
        module.main(words) if module.main.__code__.co_argcount else module.main()
    except Parsed:
        return
    except SystemExit:
        pytest.fail(f"{command}: {capsys.readouterr().err}")
    pytest.fail(f"{command}: ran without taking arguments")


@pytest.mark.parametrize(("said", "command"), commands(MAKE_COMMAND))
def test_a_shown_make_target_and_its_variables_exist(said, command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    variables = set(re.findall(r"^([A-Z0-9]+) +\??=", makefile, re.MULTILINE))
    variables |= set(re.findall(r"\$\(or \$\((\w+)\)", makefile))
    target, *words = words_of(said)
    assert target in targets, f"{command}: known {sorted(targets)}"
    names = [word.partition("=")[0] for word in words if re.match(r"[A-Z0-9]+=", word)]
    assert set(names) <= variables, f"{command}: known {sorted(variables)}"


def test_the_patterns_found_the_commands():
    shown = {case.values[0] for case in commands(PYTHON_COMMAND)}
    assert {"train.fit", "train.evaluate", "data_prep.build", "data_prep.fetch", "submission.validate"} <= shown
    assert len(commands(PYTHON_COMMAND)) > 30 and len(commands(MAKE_COMMAND)) > 10


README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL))
LINES = [line for kind, block in BLOCKS if kind != "yaml" for line in block.splitlines() if line]


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_a_code_block_is_a_command_that_a_test_takes(line):
    """Those of python and make above; the launchers' own options here."""
    words = shlex.split(PLACEHOLDER.sub("placeholder", line), comments=True)
    if words[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        taken = get_args_parser().parse_args(words[1:])
        assert taken.module and taken.training_script == "train.fit"
    elif words[0] == "srun":  # Slurm's; with 8 tasks a node for 8 GPUs, as train/processes.py reads them
        assert words[1:7] == ["--nodes", "2", "--ntasks-per-node", "8", "--gpus-per-node", "8"] and words[7] == "python"
    else:
        assert words[:2] == ["git", "clone"] or words[0] == "make" or words[:2] == ["python", "-m"]


def test_the_environment_of_the_commands_is_the_one_that_make_installs():
    assert re.search(r"^VENV +\?= \.venv$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert README.index("`. .venv/bin/activate`") < README.index("python -m ")


def test_tensorboard_takes_its_command():
    from tensorboard import program

    assert "tensorboard --logdir runs" in SPANS
    board = program.TensorBoard()
    board.configure(argv=["tensorboard", "--logdir", "runs"])
    assert board.flags.logdir == "runs"


def overrides_shown():
    """(config, overrides) of everything that README.md sets: on command lines, behind SET=, in the text."""
    found = []
    for text in LINES + SPANS:
        words = shlex.split(PLACEHOLDER.sub("placeholder", text), comments=True) if "'" not in text else []
        if "train.fit" in words:
            after = words[words.index("train.fit") + 1 :]
            if after and after[0] != "NAME":
                found.append((after[0], [word for word in after[1:] if re.match(r"[a-z][\w.*]*=", word)]))
        named = dict(word.split("=", 1) for word in words if re.match(r"(RUN|CONFIG|SET)=", word))
        if words and words[0] == "make" and "RUN" in named:
            found.append((named.get("CONFIG", named["RUN"]), named.get("SET", "").split()))
        elif words and words[0].startswith("SET="):
            found.append(("pocket", named["SET"].split()))
        elif re.fullmatch(r"[a-z][\w.*]*=\S.*", text) and text != "weights_only=True":  # the last is torch's
            found.append(("quickstart", [text]))
    return found


@pytest.mark.parametrize(("config", "overrides"), overrides_shown(), ids=str)
def test_every_shown_setting_is_one_that_the_config_takes(config, overrides):
    load_train_config(config, tuple(overrides))


MINE = next(yaml.safe_load(block) for kind, block in BLOCKS if kind == "yaml")
WITH_BOXES = {"source": "rpc"}  # crops are for sources whose boxes are known


@pytest.mark.parametrize("snippet", [span for span in SPANS if re.match(r"[a-z_]+: [\[{]", span) and "..." not in span])
def test_every_shown_piece_of_yaml_fits_where_the_text_says(snippet):
    piece = yaml.safe_load(snippet)
    (key,) = piece
    if key in TrainConfig.model_fields:
        tree = load_train_config("quickstart").model_dump(mode="json") | {"export_image_px": 224}
        build_config(TrainConfig, tree | piece, "README.md")
    elif key in MixtureConfig.model_fields:
        build_config(MixtureConfig, MINE | piece, "README.md")
    else:
        source = (WITH_BOXES if key == "crops" else MINE["sources"][0]) | piece
        build_config(MixtureConfig, MINE | {"sources": [source]}, "README.md")


def test_the_mixture_of_your_own_is_one():
    assert [source.reader for source in build_config(MixtureConfig, MINE, "README.md").sources] == [
        "class_folders", "table"]


def test_links_lead_somewhere():
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
                for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)}
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) > 8
    for target in targets:
        assert target[1:] in headings if target.startswith("#") else (ROOT / target).is_file(), target


def test_what_was_found_is_what_there_is():
    assert len(LINES) > 15 and len(overrides_shown()) > 12 and ("pocket", ["seed=1"]) in overrides_shown()
    assert sum(bool(re.match(r"[a-z_]+: [\[{]", span)) for span in SPANS) > 5
    n_recipes = int(re.search(r"the tests do so for all (\d+)", " ".join(README.split()))[1])
    assert n_recipes == len(list((ROOT / "train" / "configs").glob("*.yaml")))
