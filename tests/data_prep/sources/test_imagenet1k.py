import pytest

from data_prep.errors import ConfigError
from data_prep.sources.imagenet1k import read_rows

TRAIN = "ILSVRC/Data/CLS-LOC/train/n02105855/n02105855_2933.JPEG"
VAL = "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG"
SOLUTION = (
    "ImageId,PredictionString\nILSVRC2012_val_00000001,n01751748 111 108 431 301 n01440764 1 2 3 4 \n"
    "ILSVRC2012_val_00000002,n02105855 1 1 2 2 \n"
)


def test_val_is_flat_and_its_label_is_the_first_word(lay_out, seen):
    assert seen(read_rows(lay_out([TRAIN, VAL], {"LOC_val_solution.csv": SOLUTION}))) == [
        ("n02105855", TRAIN, "train", "", None),
        ("n01751748", VAL, "train", "", None),
        ("n02105855", VAL.replace("01.", "02."), "train", "", "missing file"),
    ]


def test_train_alone_is_enough_and_val_pictures_without_their_list_are_not_read(lay_out, seen):
    assert seen(read_rows(lay_out([TRAIN, VAL]))) == [("n02105855", TRAIN, "train", "", None)]


def test_no_train_folder(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*CLS-LOC/train; to get it"):
        read_rows(lay_out([VAL]))
