"""The known data sets: `SOURCES[key]`."""

from data_prep.sources.deepfashion_consumer_to_shop import DEEPFASHION_CONSUMER_TO_SHOP
from data_prep.sources.deepfashion_inshop import DEEPFASHION_INSHOP
from data_prep.sources.fashion200k import FASHION200K
from data_prep.sources.food101 import FOOD101
from data_prep.sources.food2k import FOOD2K
from data_prep.sources.gldv2 import GLDV2
from data_prep.sources.gpr1200 import GPR1200
from data_prep.sources.grocery_store import GROCERY_STORE
from data_prep.sources.h_and_m import H_AND_M
from data_prep.sources.inat2018 import INAT2018
from data_prep.sources.met import MET
from data_prep.sources.products_10k import PRODUCTS_10K
from data_prep.sources.rp2k import RP2K
from data_prep.sources.shopee import SHOPEE
from data_prep.sources.source import Source
from data_prep.sources.stanford_cars import STANFORD_CARS
from data_prep.sources.stanford_products import STANFORD_PRODUCTS

SOURCES: dict[str, Source] = {
    source.key: source
    for source in (
        PRODUCTS_10K,
        STANFORD_PRODUCTS,
        STANFORD_CARS,
        DEEPFASHION_INSHOP,
        GLDV2,
        MET,
        DEEPFASHION_CONSUMER_TO_SHOP,
        FASHION200K,
        FOOD101,
        FOOD2K,
        GPR1200,
        GROCERY_STORE,
        H_AND_M,
        INAT2018,
        RP2K,
        SHOPEE,
    )
}
