import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.input import (
    DECODING,
    OURS,
    Decoders,
    decode_for,
    loader_rate,
    missed_limits,
    our_loader,
    ratio,
    row_of,
    step_rows,
)
from benchmarks.input_peers import BATCH, pillow_transforms

RATES = {(DECODING, 1): [1000.0, 500.0, 900.0], (OURS, 1): [900.0, 500.0, 300.0], ("torchvision", 1): [100.0] * 3,
         ("webdataset", 1): [800.0, 500.0, 150.0]}


@pytest.fixture(scope="module")
def jpeg():
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (10, 14, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save(stream, "JPEG", quality=92)
    return stream.getvalue()


def test_ratios_are_taken_round_by_round():
    """0.9, 1.0 and 1/3 of decoding: their median is 0.9; of the medians it would be 0.56."""
    assert ratio(RATES, 1, DECODING) == pytest.approx(0.9)
    assert row_of(("crop", 64), 1, RATES) == [
        "crop", "64", "1", "900", "500", "100", "500", "0.90", "5.00", "1.12"]
    assert missed_limits(("crop", 64), 1, RATES) == ["crop, 64 px, 1 processes: 1.12 x webdataset, at least 1.2 wanted"]


def test_the_pipeline_measured_is_the_one_that_trains(packed_for_benchmarks):
    batches = iter(our_loader(packed_for_benchmarks, "standard", 16, 0, 3 * BATCH))
    assert next(batches)["pixels"].shape == (BATCH, 16, 16, 3)
    assert loader_rate(batches, 0, BATCH) > 0


@pytest.mark.parametrize("preset", ["standard", "crop"])
def test_peers_make_the_same_kind_of_picture(jpeg, preset):
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    assert pillow_transforms(preset, 32)(picture).shape == (3, 32, 32)


def test_decoders_decode_side_by_side(jpeg):
    assert decode_for([jpeg], 3) > 0
    decoders = Decoders([jpeg], 2)
    assert decoders.rate(4) > 0 and decoders.rate(2) > 0
    decoders.close()


def test_every_step_is_timed_at_both_sizes(jpeg):
    rows = step_rows([jpeg], repeats=2)
    assert [len(row) for row in rows] == [3] * 5 and all(float(cell) > 0 for row in rows for cell in row[1:])
