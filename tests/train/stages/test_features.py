import numpy as np

from train.data.readers import ShardReader
from train.stages.features import first_view, stage_features, views_of
from train.stages.start import preprocess_of, starting_backbone

FROZEN = [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]


def test_true_is_the_images_as_they_are_and_views_are_augmented(packed, make_config, tmp_path):
    plain = make_config({"lr_rules": FROZEN, "feature_cache": True}).stages[0]
    config = make_config({"lr_rules": FROZEN, "feature_cache": {"views": 2}, "augmentation": {"preset": "crop"}})
    assert views_of(plain) is None
    views = views_of(config.stages[0])
    assert (views.n_views, views.preset, views.min_crop_scale, views.horizontal_flip) == (2, "crop", 0.5, True)
    readers = (ShardReader(packed, "train"), ShardReader(packed, "val"))
    tower = starting_backbone(config, 16)
    spec = preprocess_of(tower, 16, "squash")
    two, validation = stage_features(config.stages[0], tower, readers, spec, tmp_path)
    one, same = stage_features(plain, tower, readers, spec, tmp_path)
    assert two.shape == (2, *one.shape) and np.array_equal(validation, same)
    assert not np.allclose(two[0], one, atol=1e-3)
    half = stage_features(plain.model_copy(update={"precision": "bf16-mixed"}), tower, readers, spec, tmp_path)
    for rough, exact in zip(half, (one, validation)):
        assert np.allclose(rough, exact, atol=0.02 * np.abs(exact).max()) and not np.array_equal(rough, exact)
    assert np.array_equal(first_view(two), two[0]) and first_view(one) is one
