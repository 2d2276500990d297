"""What surrounds the model on the host, once more: zip, load, one image at a time, nearest neighbours.

The steps are those of the challenge's evaluation page as entrants copied it: `torch.jit.load` and eval; PIL,
converted to RGB; a uint8 tensor [1, 3, H, W] of the original size; no gradients; element [0] of the result,
flattened, to numpy. The nearest index images by Euclidean distance follow in `submission.scoring`.
"""

import io
import itertools
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data_prep.errors import ConfigError, ContractError
from data_prep.files import sha256_of_file
from data_prep.progress import progress_bar
from export.archive import check_exported

MODEL_MEMBER = "saved_model.pt"
MAX_DIM = 64
_IMAGES_IN_FLIGHT = 256  # encoded images held in memory while the threads work


def load_submission(path: Path, device: str = "cpu") -> torch.jit.ScriptModule:
    """The model of a `submission.zip`, or of the bare `saved_model.pt`, in evaluation mode.

    Raises:
        ConfigError: no such file, a folder, or a checkpoint.
        ContractError: not a zip, no `saved_model.pt` at its root, or not a TorchScript file.
    """
    path = Path(path)
    if path.suffix != ".zip":
        return load_model(path, device)
    with tempfile.TemporaryDirectory(prefix="hosted-scorer-") as folder:
        return load_model(extract_model(path, Path(folder)), device)


def load_model(model_path: Path, device: str = "cpu") -> torch.jit.ScriptModule:
    """`saved_model.pt` in evaluation mode. Raises as `load_submission`."""
    check_exported(model_path)
    try:
        return torch.jit.load(str(model_path), map_location=device).eval()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ContractError(f"{model_path}: torch.jit.load does not read it: {reason}") from error


def extract_model(zip_path: Path, folder: Path) -> Path:
    """Unpack the model of a zip, and nothing else, into `folder`; its path.

    Raises:
        ContractError: not a zip, damaged, or no `saved_model.pt` at its root.
    """
    model_path = folder / MODEL_MEMBER
    try:
        with zipfile.ZipFile(zip_path) as archive:
            names = archive.namelist()
            if names.count(MODEL_MEMBER) != 1:
                held = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
                raise ContractError(f"{zip_path}: expected one {MODEL_MEMBER} at the root, got: {held or 'nothing'}")
            # Read and written under our own name: a member's path is never trusted.
            with archive.open(MODEL_MEMBER) as source, open(model_path, "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
    except (OSError, zipfile.BadZipFile) as error:
        raise ContractError(f"{zip_path}: not a zip that can be read: {error}") from error
    return model_path


def sha256_of_model(path: Path) -> str:
    """Of the `saved_model.pt` inside a zip, or of the bare file. Raises as `load_submission`."""
    path = Path(path)
    if path.suffix != ".zip":
        return sha256_of_file(path)
    with tempfile.TemporaryDirectory(prefix="hosted-scorer-") as folder:
        return sha256_of_file(extract_model(path, Path(folder)))


def check_dimension(embeddings: np.ndarray, where: Path) -> None:
    """Raise ContractError where embeddings [M, D] are longer than the host takes."""
    if embeddings.shape[1] > MAX_DIM:
        raise ContractError(f"{where}: gives {embeddings.shape[1]} numbers an image, the host takes {MAX_DIM}")


def open_image(encoded: bytes) -> Image.Image:
    """Encoded image -> RGB as the host opens it: first frame, no orientation flag, PIL's conversion.

    Raises:
        ValueError: PIL cannot read it; the message says why.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return image.convert("RGB")
    except Exception as error:  # PIL and its plugins raise a dozen types for damaged files
        raise ValueError(f"{type(error).__name__}: {error}") from error


def to_host_tensor(image: Image.Image) -> Tensor:
    """RGB image -> uint8 [1, 3, H, W], 0..255, original size."""
    from torchvision.transforms.functional import pil_to_tensor

    return pil_to_tensor(image).unsqueeze(0)


def embed_image(model: Callable[[Tensor], Tensor], image: Image.Image) -> np.ndarray:
    """RGB image -> what the host keeps of the model's answer: element [0], flattened, [D]."""
    with torch.no_grad():
        return model(to_host_tensor(image))[0].flatten().cpu().numpy()


def embed_images(
    model: Callable[[Tensor], Tensor],
    encoded_images: Iterable[bytes],
    names: Sequence[str],
    title: str,
    n_threads: int = 0,
) -> np.ndarray:
    """float32 [M, D] of M encoded images, one at a time as on the host, several threads side by side.

    Each thread runs whole images on one core: with batches of one, that is faster than all cores on one
    image. Files are read in the caller's thread.

    Args:
        model: from `load_submission`.
        encoded_images: files as they are stored.
        names: of the images, for errors and for their number.
        title: of the progress bar.
        n_threads: 0 for one a core, or one alone for a model on a GPU.

    Raises:
        ConfigError: an image that PIL cannot read.
        ContractError: an answer that is not finite float32, or has another length than the first.
    """
    n_cores = torch.get_num_threads()
    n_threads = n_threads or (1 if _is_on_gpu(model) else n_cores)
    n_cores_each = 1 if n_threads > 1 else n_cores
    rows: list[np.ndarray] = []
    todo = zip(names, encoded_images, strict=True)
    try:
        with (
            ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(n_cores_each,)) as pool,
            progress_bar(len(names), title, "image") as progress,
        ):
            while part := list(itertools.islice(todo, _IMAGES_IN_FLIGHT)):
                for row in pool.map(lambda named: _embed_checked(model, *named), part):
                    rows.append(row)
                    progress.update()
    finally:
        torch.set_num_threads(n_cores)  # parts of the setting are the process's, not the thread's
    for name, row in zip(names, rows, strict=True):
        if row.shape != rows[0].shape:
            raise ContractError(
                f"{name}: the model gives {row.shape[0]} numbers, for {names[0]} it gave {rows[0].shape[0]}"
            )
    return np.stack(rows)


def _embed_checked(model: Callable[[Tensor], Tensor], name: str, encoded: bytes) -> np.ndarray:
    try:
        image = open_image(encoded)
    except ValueError as error:
        raise ConfigError(f"{name}: image cannot be read: {error}") from error
    try:
        embedding = embed_image(model, image)
    except (RuntimeError, torch.jit.Error) as error:
        raise ContractError(f"{name}, {image.width} x {image.height}: the model fails: {error}") from error
    if embedding.dtype != np.float32 or not np.isfinite(embedding).all():
        raise ContractError(
            f"{name}, {image.width} x {image.height}: expected finite float32, got {embedding.dtype} with "
            f"{int((~np.isfinite(embedding)).sum())} of {embedding.size} values not finite"
        )
    return embedding


def _is_on_gpu(model: Callable[[Tensor], Tensor]) -> bool:
    parameters = getattr(model, "parameters", list)
    return any(parameter.is_cuda for parameter in parameters())
