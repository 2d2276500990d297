import numpy as np
import pytest

from data_prep.miniature import drawing, mesh, photograph
from data_prep.miniature.photograph import Roughness

GENTLE = Roughness(light=0.0, cast=0.0, blur=0.0, noise=0.0)


def test_sizes_vary_within_their_range_and_aspect():
    sizes = [photograph.photo_size(np.random.default_rng(seed), (0.7, 1.4)) for seed in range(200)]
    assert len(set(sizes)) > 150
    assert all(160 <= side <= 320 for size in sizes for side in size)
    assert any(height > width for height, width in sizes) and any(height < width for height, width in sizes)


def test_nothing_happens_to_a_photo_without_roughness():
    canvas = drawing.blank(90, 120, (40, 120, 200))
    photo = photograph.develop(canvas, (60, 80), np.random.default_rng(0), GENTLE)
    assert photo.shape == (60, 80, 3) and np.abs(photo.astype(int) - (40, 120, 200)).max() <= 1


@pytest.mark.parametrize("kind", ["light", "cast", "noise", "blur"])
def test_each_kind_of_roughness_changes_photos(kind):
    canvas = drawing.blank(90, 120, (40, 120, 200))
    canvas[:, 60:] = 90
    rough = Roughness(**{**vars(GENTLE), kind: {"light": 0.5, "cast": 0.2, "noise": 20.0, "blur": 3.0}[kind]})
    plain, changed = (
        np.stack(
            [photograph.develop(canvas, (60, 80), np.random.default_rng(seed), kind_of) for seed in range(6)]
        )
        for kind_of in (GENTLE, rough)
    )
    assert np.abs(plain.astype(int) - changed).max() > 5
    assert len({photo.tobytes() for photo in changed}) > 4


@pytest.mark.parametrize(
    "backdrop",
    [photograph.studio, photograph.room, lambda shape, rng: photograph.outdoors(shape, rng, "road")],
)
def test_backdrops_have_the_shape_and_differ(backdrop):
    drawn = [backdrop((91, 121), np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert all(canvas.shape == (91, 121, 3) and canvas.dtype == np.uint8 for canvas in drawn)
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_things_in_front_cover_some_of_the_picture_but_not_most():
    shares = []
    for seed in range(40):
        canvas = drawing.blank(120, 120, (1, 2, 3))
        photograph.occlude(canvas, np.random.default_rng(seed), 0.3)
        shares.append(np.any(canvas != (1, 2, 3), axis=2).mean())
    assert 0.01 < np.mean(shares) < 0.3 and max(shares) < 0.6


def test_put_draws_the_object_and_its_shadow():
    solid = mesh.assemble([mesh.box((0, 0, 0), (1, 1, 1), (250, 0, 0))])
    canvas = drawing.blank(120, 120, (200, 200, 200))
    photograph.put(canvas, solid, mesh.Camera(0.4, 0.3, fill=0.5), np.random.default_rng(0))
    assert canvas[60, 60, 0] > 60 > canvas[60, 60, 1]
    assert np.any(np.all(canvas < 190, axis=2) & np.all(canvas > 100, axis=2))  # darkened ground


def test_the_light_comes_from_above_and_has_length_one():
    for seed in range(20):
        light = photograph.sunlight(np.random.default_rng(seed))
        assert np.linalg.norm(light) == pytest.approx(1) and light[1] > 0 and light[2] > 0
