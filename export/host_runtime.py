"""The host's own PyTorch, if this machine has it: the only full proof that a file loads there.

`make host-runtime` puts torch 1.11.0 (which needs Python 3.7 to 3.10) into `.venv-host`; the environment
variable GUIE_HOST_PYTHON names another interpreter that has it. Everything runs in a subprocess: 1.11 aborts
the whole process on some files that it cannot read.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ConfigError, ContractError

HOST_TORCH = "1.11"
VARIABLE = "GUIE_HOST_PYTHON"
_PROBE_DIR = Path(__file__).parent
_DEFAULT_PYTHON = Path(__file__).parent.parent / ".venv-host" / "bin" / "python"
_TIMEOUT_SECONDS = 1800  # real-size towers take a quarter of a minute an image on one core
_CALL = "import sys; sys.path.append(sys.argv[1]); import host_probe; getattr(host_probe, sys.argv[2])(*sys.argv[3:])"


def find_host_python() -> Path | None:
    """Interpreter with the host's PyTorch, or None where there is none.

    Raises:
        ConfigError: GUIE_HOST_PYTHON names something that is not an interpreter with torch 1.11.
    """
    named = os.environ.get(VARIABLE)
    if not named and not _DEFAULT_PYTHON.is_file():
        return None
    python = Path(named) if named else _DEFAULT_PYTHON
    where = f"{VARIABLE}={named}" if named else str(python)
    if not python.is_file():
        raise ConfigError(f"{where}: no such file; expected a Python interpreter with torch {HOST_TORCH}")
    answer = _run(python, ["print_version"], timeout_seconds=120)
    if answer.returncode != 0:
        raise ConfigError(f"{where}: expected torch {HOST_TORCH}, got: {_last_line(answer.stderr)}")
    if not answer.stdout.startswith(f"{HOST_TORCH}."):
        raise ConfigError(f"{where}: expected torch {HOST_TORCH}, got {answer.stdout.strip()}")
    return python


def embed_in_host(python: Path, model_path: Path, images: list[Tensor]) -> tuple[str, list[Tensor]]:
    """Load the model there and embed images, uint8 [3, H, W] each.

    Returns:
        The torch version and one float32 [D] an image.

    Raises:
        ContractError: it did not load or run there, with the host's own words.
    """
    with tempfile.TemporaryDirectory(prefix="host-probe-") as folder:
        inputs, outputs = Path(folder) / "inputs.pt", Path(folder) / "outputs.pt"
        torch.save(images, inputs)
        files = [str(Path(model_path).resolve()), str(inputs), str(outputs)]
        try:
            answer = _run(python, ["embed", *files], _TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ContractError(f"{model_path}: torch {HOST_TORCH} took over {_TIMEOUT_SECONDS} s") from error
        if answer.returncode != 0:
            ending = f"aborted by signal {-answer.returncode}" if answer.returncode < 0 else _last_line(answer.stderr)
            raise ContractError(f"{model_path}: does not run in torch {HOST_TORCH}: {ending}")
        result = torch.load(outputs, weights_only=True)
    return result["torch"], result["embeddings"]


def operators_of_host(python: Path) -> list[str]:
    """Every operator the host's PyTorch knows, sorted; what `operators_torch_1_11.txt` was made from."""
    return _run(python, ["print_operators"], timeout_seconds=120).stdout.split()


def _run(python: Path, call: list[str], timeout_seconds: float) -> subprocess.CompletedProcess:
    """Call a function of the probe; -I keeps this project's PYTHONPATH out of the other Python."""
    command = [str(python), "-I", "-c", _CALL, str(_PROBE_DIR), *call]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
