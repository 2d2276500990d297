import re

from data_prep.mixture import load_mixture
from data_prep.sample_world import RENDERED
from data_prep.sources import SOURCES
from data_prep.sources.source import ByRequest, KaggleCompetition, KaggleDataset, Urls

COMPETITIONS = {
    "h_and_m": "h-and-m-personalized-fashion-recommendations",
    "imagenet1k": "imagenet-object-localization-challenge",
    "imet": "imet-2019-fgvc6",
    "products_10k": "products-10k",
    "shopee": "shopee-product-matching",
}
KAGGLE_DATASETS = {
    "fashion200k": "mayukh18/fashion200k-dataset",
    "fashion_product_images": "paramaggarwal/fashion-product-images-small",
    "food_recognition2022": "sainikhileshreddy/food-recognition-2022",
    "furniture180": "andreybeyn/qudata-gembed-furniture-180",
    "logodet3k": "lyly99/logodet3k",
    "rpc": "diyer22/retail-product-checkout-dataset",
    "stanford_cars": "rvnrvn1/cars196",
    "storefront146": "kerrit/storefront-146",
}
ALI = "https://tianchi-competition.oss-cn-hangzhou.aliyuncs.com/231780/AliProducts"
MEITUAN = "https://s3plus.meituan.net/v1/mss_fad1a48f61e8451b8172ba5abfdbbee5/foodai-workshop-challenge"
ART_LISTS = (
    "https://raw.githubusercontent.com/cs-chan/ArtGAN/27876da69ef538fd2bc90eb044e3231d4006f8e5/WikiArt%20Dataset/Style"
)
INAT = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"
ABO = "https://amazon-berkeley-objects.s3.amazonaws.com"
PTAK = "http://ptak.felk.cvut.cz/met/dataset"
URLS = {  # address: what is known of the file's bytes
    "aliproducts": {
        f"{ALI}/100001585554035/train_val.part1.tar.gz": None, f"{ALI}/200001585540031/train_val.part2.tar.gz": None,
        f"{ALI}/300001585559032/train_val.part3.tar.gz": None, f"{ALI}/400001585578035/train_val.part4.tar.gz": None,
        f"{ALI}/500001585599038/train_val.part5.tar.gz": None, f"{ALI}/600001585536030/train_val.part6.tar.gz": None,
        f"{ALI}/700001585524033/train_val.part7.tar.gz": None, f"{ALI}/800001585502035/train_val.part8.tar.gz": None,
        f"{ALI}/900001585552031/train_val.part9.tar.gz": None,
        "https://tianchi-public-us-east-download.oss-us-east-1.aliyuncs.com/231780/AliProducts/000141585539496/"
        "train_val.part0.tar.gz": None,
    },
    "amazon_berkeley_objects": {
        f"{ABO}/images/metadata/images.csv.gz": None, f"{ABO}/archives/abo-listings.tar": None,
        f"{ABO}/archives/abo-images-small.tar": None,
    },
    "food101": {"http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz": "85eeb15f3717b99a5da872d97d918f87"},
    "foodx251": {
        "https://food-x.s3.amazonaws.com/annot.tar": "0c632c543ceed0e70f0eb2db58eda3ab",
        "https://food-x.s3.amazonaws.com/val.tar": "fa9a4c1eb929835a0fe68734f4868d3b",
        "https://food-x.s3.amazonaws.com/train.tar": "8e56440e365ee852dcb0953a9307e27f",
    },
    "gpr1200": {"https://visual-computing.com/files/GPR1200/GPR1200.zip": None},
    "grocery_store": {
        "https://github.com/marcusklasson/GroceryStoreDataset/archive/"
        "fc80ba90f803d79d0383df52c5a4ac5de99ff6fc.zip": None
    },
    "inat2018": {
        f"{INAT}/val2018.json.tar.gz": "f2ed8bfe3e9901cdefceb4e53cd3775d",
        f"{INAT}/train2018.json.tar.gz": "bfa29d89d629cbf04d826a720c0a68b0",
        f"{INAT}/train_val2018.tar.gz": "b1c6952ce38f31868cc50ea72d066cc3",
    },
    "largefinefoodai": {f"{MEITUAN}/Train.tar": None},
    "met": {
        f"{PTAK}/ground_truth.tar.gz": None, f"{PTAK}/test_met.tar.gz": 34_048_842, f"{PTAK}/test_other.tar.gz": None,
        f"{PTAK}/test_noart.tar.gz": None, f"{PTAK}/MET.tar.gz": None,
    },
    "rp2k": {
        "https://blob-nips2020-rp2k-dataset.obs.cn-east-3.myhuaweicloud.com/rp2k_dataset.zip":
            "4c32449993e720285865405c3b46d2958cb36f33a9d7db6c3d70bde49d580205"
    },
    "wikiart": {
        f"{ART_LISTS}/style_train.csv": "5a70342fe9f72a90e68af6c6aae1eb6b7852d7ddd360eb9d6a5558f4d78b4123",
        f"{ART_LISTS}/style_val.csv": "9a28b6416fec793c9baf21fb1999fd3a28704d5a7b51ef78158b8fba6c1a1984",
        "http://web.fsktm.um.edu.my/~cschan/source/ICIP2017/wikiart.zip": None,
    },
}
ASKED_AT = {
    "compcars": "http://mmlab.ie.cuhk.edu.hk/datasets/comp_cars/",
    "dafre": "https://github.com/arkel23/Danbooru2018AnimeCharacterRecognitionDataset_Revamped",
    "deepfashion2": "https://github.com/switchablenorms/DeepFashion2",
    "deepfashion_consumer_to_shop": "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/Consumer2ShopRetrieval.html",
    "deepfashion_inshop": "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html",
    "food2k": "http://123.57.42.89/FoodProject.html",
    "imaterialist_furniture": "https://www.kaggle.com/competitions/imaterialist-challenge-furniture-2018/data",
    "logo2k_plus": "https://drive.google.com/open?id=1PTA24UTZcsnzXPN1gmV0_lRg3lMHqwp6",
    "mafood121": "http://www.ub.edu/cvub/mafood121/",
    "omnibenchmark": "https://github.com/ZhangYuanhan-AI/OmniBenchmark",
    "stanford_products": "ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
    "vmmrdb": "https://github.com/faezetta/VMMRdb",
}


def plans(kind):
    return {key: source.fetch_plan for key, source in SOURCES.items() if isinstance(source.fetch_plan, kind)}


def test_names_at_kaggle_are_those_of_the_facts():
    assert {key: plan.name for key, plan in plans(KaggleCompetition).items()} == COMPETITIONS
    assert {key: plan.name for key, plan in plans(KaggleDataset).items()} == KAGGLE_DATASETS


def test_addresses_and_checksums_are_those_of_the_facts():
    found = {
        key: {file.url: file.sha256 or file.md5 or file.size_bytes for file in plan.files}
        for key, plan in plans(Urls).items()
    }
    landmarks = found.pop("gldv2")
    assert found == URLS
    assert len(landmarks) == 5 + 500 + 100 + 20
    assert "https://s3.amazonaws.com/google-landmark/train/images_499.tar" in landmarks
    last = SOURCES["gldv2"].fetch_plan.files[-1]
    assert last.md5_url == "https://s3.amazonaws.com/google-landmark/md5sum/train/md5.images_499.txt"
    (shelves,) = SOURCES["rp2k"].fetch_plan.files
    assert shelves.size_bytes == 6_330_687_649


def test_what_must_be_asked_for_says_where():
    by_request = plans(ByRequest)
    assert by_request.keys() == ASKED_AT.keys()
    assert {key: place for key, place in ASKED_AT.items() if place not in by_request[key].ask} == {}


def test_every_known_data_set_has_a_plan():
    assert COMPETITIONS.keys() | KAGGLE_DATASETS.keys() | URLS.keys() | ASKED_AT.keys() | {"gldv2"} == SOURCES.keys()


def test_each_source_is_found_under_its_own_key_and_says_how_to_get_it():
    assert all(source.key == key and source.fetch and source.licence for key, source in SOURCES.items())
    assert all(re.fullmatch("[a-z0-9_]+", key) for key in SOURCES)
    assert len({source.raw_dir for source in SOURCES.values()}) == len(SOURCES)
    assert len({source.title for source in SOURCES.values()}) == len(SOURCES)


def test_the_quickstart_uses_the_sample_world_scores_all_apart_and_makes_val_classes_of_each():
    sources = {config.source: config for config in load_mixture("quickstart").sources}
    assert set(sources) == set(RENDERED) <= set(SOURCES)
    assert len({SOURCES[key].domain for key in sources}) == len(sources)  # scored apart
    assert all(config.val_fraction > 0 for config in sources.values())
    no_official_split = {key for key, config in sources.items() if config.split == "by_class"}
    assert no_official_split == {"products_10k", "met"}
    assert all(sources[key].test_fraction > 0 for key in no_official_split)
