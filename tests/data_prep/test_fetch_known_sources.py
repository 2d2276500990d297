"""Every plan that a program can carry out: hand-written archives, packed as the real ones are or nearly so, end as a
folder that the data set's reader reads. Addresses lead to the local server, checksums are left out."""

import dataclasses
import gzip
import json
from urllib.parse import urlsplit

import pytest

from data_prep.download import Patience
from data_prep.fetch import fetch_source
from data_prep.sources import SOURCES
from data_prep.sources.source import ByRequest, KaggleCompetition, Urls

QUICK = Patience(max_tries=2, first_wait_s=0.001)
HOW_PACKED = ("as published", "in another folder", "without their folder")
COCO = json.dumps({
    "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}],
    "annotations": [{"image_id": 1, "category_id": 7}, {"image_id": 2, "category_id": 8}],
}).encode()
COCO_INAT = COCO.replace(b"1.jpg", b"train_val2018/Aves/7/1.jpg").replace(b"2.jpg", b"train_val2018/Aves/8/2.jpg")
LISTING = gzip.compress(b'{"item_id": "A", "main_image_id": "11", "other_image_id": ["12"]}\n')
ABO_CSV = gzip.compress(b"image_id,height,width,path\n11,9,9,aa/11.jpg\n12,9,9,bb/12.jpg\n")
GROCERIES = "GroceryStoreDataset-fc80ba90f803d79d0383df52c5a4ac5de99ff6fc/dataset/"


def pictures(*paths):
    return {path: path.encode() for path in paths}


# key: ({the file's name at its sender: its members, or its bytes}, class keys)
FETCHED = {
    "aliproducts": (
        {f"train_val.part{n}.tar.gz": pictures(f"train/{n}/1.jpg", f"val/0000{n}/2.jpg") for n in range(10)},
        {f"0000{n}" for n in range(10)},
    ),
    "amazon_berkeley_objects": ({
        "images.csv.gz": ABO_CSV,
        "abo-listings.tar": {"LICENSE": b"by", "listings/metadata/listings_0.json.gz": LISTING},
        "abo-images-small.tar": {"LICENSE": b"by", **pictures("images/small/aa/11.jpg", "images/small/bb/12.jpg")},
    }, {"A"}),
    "fashion200k": ({"fashion200k-dataset.zip": {
        **{f"labels/{kind}_{part}_detect_all.txt": b"" for kind in ("dress", "jacket", "pants", "skirt", "top")
           for part in ("train", "test")},
        "labels/dress_train_detect_all.txt": b"women/dresses/day/91/91_0.jpeg\t0.9\tblue dress\n",
        **pictures("women/dresses/day/91/91_0.jpeg", "women/dresses/day/92/92_0.jpeg"),
    }}, {"91"}),
    "fashion_product_images": ({"fashion-product-images-small.zip": {
        "styles.csv": b"id,gender,articleType\n5,Men,Shirts\n", "images/5.jpg": b"5",
        "myntradataset/styles.csv": b"id,gender,articleType\n5,Men,Shirts\n",
    }}, {"Shirts"}),
    "food101": ({"food-101.tar.gz": {
        "food-101/meta/train.txt": b"apple_pie/01\n", "food-101/meta/test.txt": b"waffles/02\n",
        **pictures("food-101/images/apple_pie/01.jpg", "food-101/images/waffles/02.jpg"),
    }}, {"apple_pie", "waffles"}),
    "food_recognition2022": ({"food-recognition-2022.zip": {
        "raw_data/public_training_set_release_2.0/annotations.json": COCO,
        **pictures(*(f"raw_data/public_training_set_release_2.0/images/{n}.jpg" for n in (1, 2))),
        "raw_data/public_validation_set_2.0/annotations.json": COCO,
        **pictures(*(f"raw_data/public_validation_set_2.0/images/{n}.jpg" for n in (1, 2))),
    }}, {"7", "8"}),
    "foodx251": ({
        "annot.tar": {"train_info.csv": b"train_1.jpg,12\n", "val_info.csv": b"val_1.jpg,13\n", "class_list.txt": b""},
        "train.tar": pictures("train_set/train_1.jpg"),
        "val.tar": pictures("val_1.jpg"),
    }, {"12", "13"}),
    "furniture180": ({"qudata-gembed-furniture-180.zip": pictures("all/sofa 1/001.jpg", "all/lamp/001.JPG")},
                     {"sofa 1", "lamp"}),
    "gpr1200": ({"GPR1200.zip": {"readme.txt": b"", **pictures("images/0_a.jpg", "images/12_b_c.jpg")}}, {"0", "12"}),
    "grocery_store": ({"fc80ba90f803d79d0383df52c5a4ac5de99ff6fc.zip": {
        f"{GROCERIES}train.txt": b"train/Fruit/Kiwi/Kiwi_1.jpg, 11, 6\n", f"{GROCERIES}val.txt": b"",
        f"{GROCERIES}test.txt": b"", f"{GROCERIES}train/Fruit/Kiwi/Kiwi_1.jpg": b"k",
    }}, {"11"}),
    "h_and_m": ({"h-and-m-personalized-fashion-recommendations.zip": {
        "articles.csv": b"article_id,product_code\n0123456001,0123456\n", "images/012/0123456001.jpg": b"1",
    }}, {"0123456"}),
    "imagenet1k": ({"imagenet-object-localization-challenge.zip": {
        "LOC_val_solution.csv": b"ImageId,PredictionString\nval_1,n02 1 2 3 4\n",
        "imagenet_object_localization_patched2019.tar.gz": pictures(
            "ILSVRC/Data/CLS-LOC/train/n01/n01_1.JPEG", "ILSVRC/Data/CLS-LOC/val/val_1.JPEG"
        ),
    }}, {"n01", "n02"}),
    "imet": ({"imet-2019-fgvc6.zip": {
        "train.csv": b"id,attribute_ids\nab,1 2\n", "train.zip": pictures("train/ab.png"),
    }}, {"1"}),
    "inat2018": ({
        "train2018.json.tar.gz": {"train2018.json": COCO_INAT},
        "val2018.json.tar.gz": {"val2018.json": b'{"images": [], "annotations": []}'},
        "train_val2018.tar.gz": pictures("train_val2018/Aves/7/1.jpg", "train_val2018/Aves/8/2.jpg"),
    }, {"7", "8"}),
    "largefinefoodai": ({"Train.tar": pictures("Train/0/1.jpg", "Train/1/1.jpg")}, {"0", "1"}),
    "logodet3k": ({"logodet3k.zip": pictures(
        "LogoDet-3K/Food/Cup & Co/1.jpg", "LogoDet-3K/Food/Cup & Co/1.xml", "LogoDet-3K/Toys/Z/1.jpg",
        "LogoDet-3K/Toys/Z/1.xml",
    )}, {"Food/Cup & Co", "Toys/Z"}),
    "met": ({
        "ground_truth.tar.gz": {
            "MET_database.json": b'[{"id": 5, "path": "MET/5/0.jpg"}]',
            "testset.json": b'[{"path": "test_met/x.jpg", "MET_id": 5}, {"path": "test_other/y.jpg", "MET_id": 5}]',
            "valset.json": b'[{"path": "test_noart/z.jpg", "MET_id": 5}]',
        },
        "test_met.tar.gz": pictures("test_met/x.jpg"), "test_other.tar.gz": pictures("test_other/y.jpg"),
        "test_noart.tar.gz": pictures("test_noart/z.jpg"), "MET.tar.gz": pictures("MET/5/0.jpg"),
    }, {"5"}),
    "products_10k": ({"products-10k.zip": {
        "train.csv": b"name,class,group\n3.jpg,1,0\n", "train.zip": pictures("train/3.jpg"),
        "test_kaggletest.csv": b"name,class,Usage\n9.jpg,2,Public\n", "test.zip": pictures("test/9.jpg"),
    }}, {"1", "2"}),
    "rp2k": ({"rp2k_dataset.zip": pictures("rp2k_dataset/all/train/红茶/1.jpg", "rp2k_dataset/all/test/红茶/1.jpg")},
             {"红茶"}),
    "rpc": ({"retail-product-checkout-dataset.zip": {
        "retail_product_checkout/instances_train2019.json": COCO,
        **pictures("retail_product_checkout/train2019/1.jpg", "retail_product_checkout/train2019/2.jpg"),
    }}, {"7", "8"}),
    "shopee": ({"shopee-product-matching.zip": {
        "train.csv": b"posting_id,image,label_group\ntrain_1,aa.jpg,33\n", "train_images/aa.jpg": b"a",
    }}, {"33"}),
    "stanford_cars": ({"cars196.zip": {"cars196/cars_annos.mat": None, "cars196/car_ims/000001.jpg": b"1"}}, {"99"}),
    "storefront146": ({"storefront-146.zip": pictures("x/Bed, Bath and Beyond/1.jpeg", "x/Aldi/1.jpg")},
                      {"Bed, Bath and Beyond", "Aldi"}),
    "wikiart": ({
        "style_train.csv": b"Impressionism/a_b,-c.jpg,12\n", "style_val.csv": b"Realism/d_e.jpg,21\n",
        "wikiart.zip": pictures("wikiart/Impressionism/a_b,-c.jpg", "wikiart/Realism/d_e.jpg"),
    }, {"12", "21"}),
}


def test_no_known_data_set_is_left_out():
    by_program = {key for key, source in SOURCES.items() if not isinstance(source.fetch_plan, ByRequest)}
    assert set(FETCHED) == by_program - {"gldv2"}  # which is in test_fetch.py


@pytest.mark.parametrize("how", HOW_PACKED)
@pytest.mark.parametrize("key", sorted(FETCHED))
def test_what_is_fetched_lies_as_its_reader_reads_it(key, how, kaggle_site, web, hosted, packed, tmp_path):
    source, (files, class_keys) = SOURCES[key], FETCHED[key]
    plan = source.fetch_plan
    contents = {name: packed(how, name, content) for name, content in files.items()}
    if isinstance(plan, Urls):
        names = [urlsplit(file.url).path.rpartition("/")[2] for file in plan.files]
        assert sorted(files) == sorted(names)
        urls = [hosted(f"/{name}", contents[name]) for name in names]
        at_home = [
            dataclasses.replace(file, url=url, size_bytes=None, sha256=None, md5=None)
            for file, url in zip(plan.files, urls)
        ]
        source = dataclasses.replace(source, fetch_plan=Urls(tuple(at_home)))
    else:
        ((name, content),) = contents.items()
        competition = f"/storage/{name.removesuffix('.zip')}/archive.zip"
        hosted(competition if isinstance(plan, KaggleCompetition) else f"/storage/{name}", content)
    raw_root = tmp_path / "raw"
    counts = fetch_source(source, raw_root, QUICK)
    rows = source.read_rows(raw_root / source.raw_dir)
    assert counts["missing"] == 0 and set(rows["class_key"]) == class_keys
    assert [path.name for path in raw_root.iterdir()] == [source.raw_dir]
    n_requests = len(web.requests)
    assert fetch_source(source, raw_root, QUICK) == counts and len(web.requests) == n_requests
