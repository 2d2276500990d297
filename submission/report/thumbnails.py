"""Small pictures for a page that must be one file."""

import base64
import io
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from submission.evaluation_set import EvaluationSet

THUMBNAIL_PX = 112  # longer side
_QUALITY = 62
_IN_FLIGHT = 64  # encoded images held in memory: photographs of a table may be large
Result = TypeVar("Result")


def encode_thumbnails(evaluation: EvaluationSet, rows: Iterable[int]) -> dict[int, str]:
    """Item row -> data URL of a WebP thumbnail, each row once."""
    return apply_to_files(_thumbnail_url, evaluation, rows)


def apply_to_files(
    function: Callable[[bytes], Result], evaluation: EvaluationSet, rows: Iterable[int]
) -> dict[int, Result]:
    """Item row -> what the function makes of its stored file, several threads side by side.

    Files are read in the caller's thread, as a reader of shards needs it.
    """
    todo = iter(sorted(set(rows)))
    result_by_row: dict[int, Result] = {}
    with ThreadPoolExecutor() as pool:
        while part := list(itertools.islice(todo, _IN_FLIGHT)):
            encoded = [evaluation.read_bytes(row) for row in part]
            result_by_row.update(zip(part, pool.map(function, encoded), strict=True))
    return result_by_row


def open_small(encoded: bytes, side_px: int) -> Image.Image:
    """RGB with sides of at least `side_px` where the picture has them; JPEGs are decoded at a half or less.

    So a photograph of 12 megapixels costs as little as a small one. No orientation flag is followed: the picture is
    shown as the model sees it.
    """
    with Image.open(io.BytesIO(encoded)) as image:
        image.draft("RGB", (side_px, side_px))
        return image.convert("RGB")


def _thumbnail_url(encoded: bytes) -> str:
    thumbnail = open_small(encoded, 2 * THUMBNAIL_PX)
    thumbnail.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    thumbnail.save(stream, format="WEBP", quality=_QUALITY, method=2)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
