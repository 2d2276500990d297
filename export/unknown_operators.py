"""What stands in the way of a tower: operators that PyTorch 1.11 lacks, and where the model calls them."""

from pathlib import Path

import torch

from data_prep.errors import ContractError
from export.host_environment import HOST_TORCH

_OPERATORS_FILE = Path(__file__).parent / "operators_torch_1_11.txt"


def operators_of_model(model: torch.jit.ScriptModule) -> list[str]:
    """Names with their overloads of every operator the model calls, sorted."""
    return sorted(set(torch.jit.export_opnames(model)))


def unknown_operators(model: torch.jit.ScriptModule) -> dict[str, str]:
    """Operators that 1.11 lacks, each with a place in the code that calls it."""
    known = set(_OPERATORS_FILE.read_text(encoding="utf-8").split())
    unknown = [name for name in operators_of_model(model) if name not in known]
    places = _places(model) if unknown else {}
    return {name: places.get(name.partition(".")[0], "a place that TorchScript does not tell") for name in unknown}


def refuse_unknown_operators(model: torch.jit.ScriptModule) -> None:
    """Raise ContractError with every operator that 1.11 lacks, and where it is called."""
    unknown = unknown_operators(model)
    if unknown:
        reasons = "; ".join(f"{name}, called in {place}" for name, place in unknown.items())
        raise ContractError(f"operators: this tower cannot run on the host: torch {HOST_TORCH} does not know {reasons}")


def _places(model: torch.jit.ScriptModule) -> dict[str, str]:
    """Kind of each node of the whole graph -> where the first one is in the Python code, as file(line)."""
    places: dict[str, str] = {}
    graph = model.inlined_graph  # held: without it torch frees the nodes below
    blocks = [graph]
    while blocks:
        for node in blocks.pop().nodes():
            blocks.extend(node.blocks())
            if node.kind() not in places:
                places[node.kind()] = _place(node.sourceRange())
    return places


def _place(source_range: str) -> str:
    """The innermost line of code that TorchScript remembers, with the folders above its package left out.

    >>> _place("/venv/site-packages/timm/layers/attention.py(51): forward\\n/venv/x/nn/module.py(1): _call_impl")
    'timm/layers/attention.py(51): forward'
    """
    lines = [line.strip() for line in source_range.splitlines() if ".py" in line]
    if not lines:
        return "a place that TorchScript does not tell"
    return lines[0].rpartition("site-packages/")[2].removeprefix('File "')
