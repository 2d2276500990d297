import io

import numpy as np
from PIL import Image

from data_prep.picture_row import side_by_side


def test_each_picture_stands_in_the_middle_of_its_square():
    pictures = [Image.new("RGB", (200, 100), (250, 0, 0)), Image.new("RGB", (30, 60), (0, 0, 250))]
    row = Image.open(io.BytesIO(side_by_side(pictures, 64, 95)))
    assert row.size == (128, 64)
    # 200x100 becomes 60x30; 30x60 stays as it is.
    places = {(32, 32): (250, 0, 0), (32, 12): (255, 255, 255), (96, 32): (0, 0, 250), (72, 32): (255, 255, 255)}
    for place, colour in places.items():
        assert np.abs(np.subtract(row.getpixel(place), colour)).max() < 12, place
