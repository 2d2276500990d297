"""Pictures side by side as one JPEG, for reports."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def side_by_side(pictures: "Sequence[Image]", side_px: int, quality: int) -> bytes:
    """RGB pictures, made small in place, each in the middle of a white square of `side_px`, in one row."""
    from PIL import Image

    row = Image.new("RGB", (side_px * len(pictures), side_px), "white")
    for n, picture in enumerate(pictures):
        picture.thumbnail((side_px - 4, side_px - 4))
        row.paste(picture, (side_px * n + (side_px - picture.width) // 2, (side_px - picture.height) // 2))
    buffer = io.BytesIO()
    row.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
