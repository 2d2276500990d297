"""Every command that the documents show is one that the programs take."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

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
