"""YAML file + `key=value` overrides -> a frozen pydantic model, or one error that lists everything wrong with it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from data_prep.errors import ConfigError, did_you_mean, unknown_name

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_config(model: type[ModelT], path: Path, overrides: Sequence[str] = ()) -> ModelT:
    """Read `path`, apply overrides such as `stages.1.epochs=2` or `stages.*.precision=bf16-mixed`, check everything.

    Raises:
        ConfigError: no such file, not YAML, an override that fits nowhere, or any number of wrong keys and values,
            all in one message with the path of each.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such config file")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, got {type(tree).__name__}")
    for override in overrides:
        _apply_override(tree, override)
    return build_config(model, tree, where=str(path))


def build_config(model: type[ModelT], tree: dict, where: str) -> ModelT:
    """Check a tree of plain values against `model`; all problems in one ConfigError."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        lines = [_describe(problem, model) for problem in _own_problems(error.errors())]
        raise ConfigError(f"{where}: {len(lines)} problem(s)\n  " + "\n  ".join(lines)) from error


def write_config(config: BaseModel, path: Path) -> None:
    """Write a model as YAML that `read_config` reads back to the same model."""
    from data_prep.files import writing_atomically

    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def find_named(name: str, folder: Path, what: str) -> Path:
    """`quickstart` -> folder/quickstart.yaml; a path that ends in .yaml or .yml is taken as it is.

    Raises:
        ConfigError: no such name; lists the known ones.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = folder / f"{name}.yaml"
    if not path.is_file():
        own = f", did you mean {name}.yaml?" if Path(f"{name}.yaml").is_file() else ""
        raise unknown_name(what, name, (known.stem for known in folder.glob("*.yaml")), str(folder.name), own)
    return path


def _apply_override(tree: dict, override: str) -> None:
    """Set one dotted key; numbers in the key index lists, `*` is every item; the value is read as YAML."""
    dotted, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"override {override!r}: expected key=value, for example stages.1.epochs=2")
    *parents, last = dotted.split(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value {text!r} is not valid YAML") from error
    nodes: list[object] = [tree]
    for part in parents:
        nodes = [child for node in nodes for child in _children(node, part, override)]
    for node in nodes:
        _set_child(node, last, value, override)


def _set_child(node: object, last: str, value: object, override: str) -> None:
    if isinstance(node, list):
        node[_position(node, last, override)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise ConfigError(f"override {override!r}: what holds {last!r} is a plain value, it has no keys")


def _children(node: object, part: str, override: str) -> list[object]:
    if isinstance(node, list):
        return node if part == "*" else [node[_position(node, part, override)]]
    if isinstance(node, dict):
        return [node.setdefault(part, {})]
    raise ConfigError(f"override {override!r}: nothing below {part!r}")


def _position(node: list, part: str, override: str) -> int:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(f"override {override!r}: expected a position 0..{len(node) - 1}, got {part!r}")
    return int(part)


def _own_problems(problems: list[dict]) -> list[dict]:
    """Without those that only follow from another: a list is called too short when all its items are wrong."""
    parents = {problem["loc"][:depth] for problem in problems for depth in range(len(problem["loc"]))}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in parents]


def _describe(problem: dict, model: type[BaseModel]) -> str:
    """One line: dotted path, what was wrong, what was got, and the known keys where a key is unknown."""
    dotted = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, problem["loc"][:-1])
        return f"{dotted}: unknown key{did_you_mean(problem['loc'][-1], known)}; known: {', '.join(known)}"
    if problem["type"] == "missing":
        return f"{dotted}: required, but not given"
    if problem["type"] in ("tuple_type", "list_type"):
        return f"{dotted}: expected a list, such as [{problem['input']}], got {problem['input']!r}"
    if problem["type"] in ("model_type", "model_attributes_type"):
        keys = ", ".join(_known_keys(model, problem["loc"]))
        return f"{dotted}: expected a mapping with some of the keys {keys}; got {problem['input']!r}"
    said = problem["msg"].removeprefix("Value error, ")  # a validator of ours has said it all in its own words
    if problem["type"] == "value_error" and isinstance(problem["input"], dict | list | tuple):
        return f"{dotted}: {said}"
    return f"{dotted}: {said}, got {problem['input']!r}"


def _known_keys(model: type[BaseModel], parents: Iterable[object]) -> list[str]:
    """The field names of the model that sits at `parents` below `model`."""
    current: object = model
    for part in parents:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            continue
        current = _model_inside(field.annotation) or current
    return sorted(getattr(current, "model_fields", {}))


def _model_inside(annotation: object) -> type[BaseModel] | None:
    """The model class in `Model`, `list[Model]`, `Model | None` or `dict[str, Model]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_inside(inner)
        if found is not None:
            return found
    return None
