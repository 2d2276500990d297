"""Calls into the host's PyTorch 1.11, each in a process of its own."""

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ConfigError, ContractError
from export.host_environment import HOST_TORCH, VARIABLE, call_probe, last_line, probe_command, probe_variables

_TIMEOUT_SECONDS = 1800  # real-size towers take a quarter of a minute an image on one core


@dataclass(frozen=True)
class HostAnswer:
    """What the host gave: its `versions`; for each picture an embedding float32 [D] and the sha256 of the pixels it
    saw, or None and the reason why Pillow there cannot read it.
    """

    versions: dict[str, str]
    embeddings: list[Tensor | None]
    pixels: list[str]


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
            answer = call_probe(python, ["embed", *files], _TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ContractError(f"{model_path}: torch {HOST_TORCH} took over {_TIMEOUT_SECONDS} s") from error
        _require_success(model_path, answer.returncode, answer.stderr)
        result = torch.load(outputs, weights_only=True)
    return result["torch"], result["embeddings"]


def embed_pictures_in_host(
    python: Path, model_path: Path, paths: Sequence[Path], on_picture: Callable[[], None] = lambda: None
) -> HostAnswer:
    """Open picture files there as the host does, and embed them; `on_picture` is called after each.

    Raises:
        ConfigError: the interpreter has no torchvision or no Pillow.
        ContractError: the model did not load or run there, with the host's own words.
    """
    with tempfile.TemporaryDirectory(prefix="host-probe-") as folder:
        inputs, outputs = Path(folder) / "paths.json", Path(folder) / "outputs.pt"
        inputs.write_text(json.dumps([str(Path(path).resolve()) for path in paths]), encoding="utf-8")
        command = probe_command(python, ["embed_pictures", str(Path(model_path).resolve()), str(inputs), str(outputs)])
        with open(Path(folder) / "errors", "w+", encoding="utf-8") as errors:
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=probe_variables()
            ) as process:
                # Of one picture, and of the load before the first: killed, it fails like any other.
                patience = _Patience(process, _TIMEOUT_SECONDS)
                for _ in process.stdout:
                    patience.start_again()
                    on_picture()
                patience.end()
            errors.seek(0)
            said = errors.read()
            if last_line(said).startswith("ModuleNotFoundError"):
                raise ConfigError(f"{python}: expected torchvision 0.12.0 and Pillow beside torch 1.11.0, got "
                                  f"{last_line(said)}; without {VARIABLE} an environment that has them is made")
            _require_success(model_path, process.returncode, said)
        result = torch.load(outputs, weights_only=True)
    return HostAnswer(result["versions"], result["embeddings"], result["pixels"])


def operators_of_host(python: Path) -> list[str]:
    """Every operator the host's PyTorch knows, sorted; what `operators_torch_1_11.txt` was made from."""
    return call_probe(python, ["print_operators"], timeout_seconds=120).stdout.split()


class _Patience:
    """Kills a process that says nothing for so many seconds."""

    def __init__(self, process: subprocess.Popen, seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._timer = threading.Timer(seconds, process.kill)
        self._timer.start()

    def start_again(self) -> None:
        self._timer.cancel()
        self._timer = threading.Timer(self._seconds, self._process.kill)
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()


def _require_success(model_path: Path, status: int, errors: str) -> None:
    if status != 0:
        ending = f"aborted by signal {-status}" if status < 0 else last_line(errors)
        raise ContractError(f"{model_path}: does not run in torch {HOST_TORCH}: {ending}")
