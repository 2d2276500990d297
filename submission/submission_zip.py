"""`submission.zip`: written the same everywhere, opened again and run before it gets its name."""

import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.errors import ContractError
from data_prep.files import sha256_of_file, writing_atomically
from submission.hosted_scorer import MAX_DIM, MODEL_MEMBER, embed_image, extract_model, load_model

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_ODD_SIZE_PX = (211, 37)  # width, height: nothing about it is round
_UNIT_TOLERANCE = 1e-4


def write_checked_zip(model_path: Path, zip_path: Path) -> None:
    """Zip the model as `saved_model.pt` at the root; the same model gives the same bytes.

    Stored, not deflated: weights do not shrink, and deflated bytes depend on the zlib at hand.

    Raises:
        ContractError: the zip, read again as the host reads it, does not answer as the model itself does. An
            earlier zip is removed then: it would be of another model.
    """
    try:
        with writing_atomically(zip_path) as unfinished_path:
            _write(model_path, unfinished_path)
            check_zip(unfinished_path, model_path)
    except ContractError:
        zip_path.unlink(missing_ok=True)
        raise


def check_zip(zip_path: Path, model_path: Path) -> None:
    """Raise ContractError unless the zip holds this very model and it answers as the host needs."""
    image = odd_image()
    with tempfile.TemporaryDirectory(prefix="submission-zip-") as folder:
        unpacked_path = extract_model(zip_path, Path(folder))
        got, expected = sha256_of_file(unpacked_path), sha256_of_file(model_path)
        if got != expected:
            raise ContractError(f"{zip_path}: holds model {got[:12]}, expected {expected[:12]} of {model_path}")
        zipped = embed_image(load_model(unpacked_path), image)
    direct = embed_image(load_model(model_path), image)
    where = f"{zip_path}, image of {image.width} x {image.height}"
    if zipped.shape != (MAX_DIM,) or zipped.dtype != np.float32:
        raise ContractError(f"{where}: got {zipped.dtype} {zipped.shape}, expected float32 ({MAX_DIM},)")
    length = float(np.linalg.norm(zipped))
    if not abs(length - 1) < _UNIT_TOLERANCE:  # written so that nan fails
        raise ContractError(f"{where}: got length {length:.6f}, expected 1")
    if not np.array_equal(zipped, direct):
        raise ContractError(f"{where}: differs from the model itself by {np.abs(zipped - direct).max():.1e}")


def odd_image() -> Image.Image:
    """RGB, 211 x 37 pixels: slopes and noise, the same everywhere."""
    width, height = _ODD_SIZE_PX
    slopes = np.add.outer(np.arange(height) * 3, np.arange(width))[:, :, None] * np.array([1, 2, 3])
    noise = np.random.default_rng(0).integers(0, 64, size=(height, width, 3))
    return Image.fromarray(((slopes + noise) % 256).astype(np.uint8))


def _write(model_path: Path, zip_path: Path) -> None:
    info = zipfile.ZipInfo(MODEL_MEMBER, _FIXED_TIME)
    info.create_system = 3  # Unix, also when written elsewhere
    info.external_attr = 0o644 << 16
    info.file_size = model_path.stat().st_size  # known beforehand: above 2 GB the record must be a zip64 one
    with (
        zipfile.ZipFile(zip_path, "w", zipfile.ZIP_STORED) as archive,
        open(model_path, "rb") as source,
        archive.open(info, "w") as target,
    ):
        shutil.copyfileobj(source, target, 1 << 20)
