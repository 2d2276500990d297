from benchmarks.image_libraries import PILLOW, PIXELS_OF_OURS, ways
from benchmarks.images import LIMITS, OURS, missed_limits
from benchmarks.photographs import _jpeg, _textured, read_photographs


def row(to_pillow, to_peer, lowest_psnr_db):
    return {"name": OURS, "to_pillow": to_pillow, "to_peer": to_peer, "before": [lowest_psnr_db, 60.0]}


def test_each_limit_can_be_missed():
    size = (800, 600)
    assert LIMITS[size] == (2.5, 1.5)
    assert missed_limits("here", size, [row(2.6, 1.6, 36)]) == []
    assert len(missed_limits("here", size, [row(2.4, 1.6, 36)])) == 1
    assert len(missed_limits("here", size, [row(2.6, 1.4, 36)])) == 1
    assert len(missed_limits("here", size, [row(2.6, 1.6, 34)])) == 1
    assert missed_limits("here", (500, 375), [row(0.5, 1.01, 36)]) == []


def test_every_way_gives_the_same_size_and_nearly_the_same_picture(tmp_path):
    import numpy as np
    from PIL import Image

    base = Image.new("RGB", (40, 30), "green")
    content = _jpeg(_textured(base, (250, 190), 1.4, np.random.default_rng(0)))
    (tmp_path / "a.jpg").write_bytes(content)
    (photograph,) = read_photographs(tmp_path, (200, 150))
    table = ways(64, 92)
    assert {PILLOW, PIXELS_OF_OURS} < table.keys()
    wanted = table[PILLOW].rgb(table[PILLOW].pixels(photograph)).astype(float)
    assert wanted.shape == (64, 85, 3)
    for name, way in table.items():
        rgb = way.rgb(way.pixels(photograph))
        assert rgb.shape == wanted.shape, name
        assert np.abs(rgb - wanted).mean() < 6, name  # red and blue exchanged would differ more
        assert way.jpeg(way.pixels(photograph)).startswith(b"\xff\xd8"), name
