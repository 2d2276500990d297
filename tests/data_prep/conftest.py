"""Archives in the formats of the data sets, packed in the ways that their makers pack them."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from scipy.io import savemat


@pytest.fixture
def pack():
    """pack("a.tar.gz", {member: bytes}): the bytes of an archive in the format that its name says."""

    def write(name, members):
        buffer = io.BytesIO()
        if name.endswith(".zip"):
            with zipfile.ZipFile(buffer, "w") as archive:
                for member, content in members.items():
                    archive.writestr(member, content)
            return buffer.getvalue()
        with tarfile.open(fileobj=buffer, mode="w:gz" if name.endswith("gz") else "w") as archive:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return write


COMES_IN_NO_OTHER_FOLDER = {  # Kaggle packs a competition's files at the top; the others are known to be so
    "h-and-m-personalized-fashion-recommendations.zip", "imagenet-object-localization-challenge.zip",
    "imet-2019-fgvc6.zip", "products-10k.zip", "shopee-product-matching.zip", "train.zip", "test.zip", "img.zip",
    "Train.tar", "train_val2018.tar.gz", "ground_truth.tar.gz", "test_met.tar.gz", "test_other.tar.gz",
    "test_noart.tar.gz", "MET.tar.gz",
}
NEEDS_ITS_FOLDER = {
    "imagenet_object_localization_patched2019.tar.gz", "food-recognition-2022.zip", "test_met.tar.gz",
    "test_other.tar.gz", "test_noart.tar.gz", "MET.tar.gz",
}


def _repacked(how, name, members):
    (top, *others) = {member.partition("/")[0] for member in members}
    in_one_folder = not others and all("/" in member for member in members)
    if how == "in another folder" and name not in COMES_IN_NO_OTHER_FOLDER:
        return {f"another/folder/{member}": content for member, content in members.items()}
    if how == "without their folder" and in_one_folder and name not in NEEDS_ITS_FOLDER:
        return {member.removeprefix(f"{top}/"): content for member, content in members.items()}
    return members


@pytest.fixture
def packed(pack, tmp_path):
    """packed(how, name, members or bytes): the bytes of the file; archives inside it are packed too."""

    def write(how, name, content):
        if isinstance(content, bytes):
            return content
        if content is None:  # CARS196's list, of one car
            car = np.array([("car_ims/000001.jpg", 99)], [("relative_im_path", "O"), ("class", "O")])
            savemat(tmp_path / name, {"annotations": car})
            return (tmp_path / name).read_bytes()
        members = _repacked(how, name, content)
        return pack(name, {path: write(how, path.rpartition("/")[2], inside) for path, inside in members.items()})

    return write
