"""The known data sets: `SOURCES[key]`."""

from data_prep.sources.aliproducts import ALIPRODUCTS
from data_prep.sources.amazon_berkeley_objects import AMAZON_BERKELEY_OBJECTS
from data_prep.sources.compcars import COMPCARS
from data_prep.sources.dafre import DAFRE
from data_prep.sources.deepfashion2 import DEEPFASHION2
from data_prep.sources.deepfashion_consumer_to_shop import DEEPFASHION_CONSUMER_TO_SHOP
from data_prep.sources.deepfashion_inshop import DEEPFASHION_INSHOP
from data_prep.sources.fashion200k import FASHION200K
from data_prep.sources.fashion_product_images import FASHION_PRODUCT_IMAGES
from data_prep.sources.food2k import FOOD2K
from data_prep.sources.food101 import FOOD101
from data_prep.sources.food_recognition2022 import FOOD_RECOGNITION2022
from data_prep.sources.foodx251 import FOODX251
from data_prep.sources.furniture180 import FURNITURE180
from data_prep.sources.gldv2 import GLDV2
from data_prep.sources.gpr1200 import GPR1200
from data_prep.sources.grocery_store import GROCERY_STORE
from data_prep.sources.h_and_m import H_AND_M
from data_prep.sources.imagenet1k import IMAGENET1K
from data_prep.sources.imaterialist_furniture import IMATERIALIST_FURNITURE
from data_prep.sources.imet import IMET
from data_prep.sources.inat2018 import INAT2018
from data_prep.sources.largefinefoodai import LARGEFINEFOODAI
from data_prep.sources.logo2k_plus import LOGO2K_PLUS
from data_prep.sources.logodet3k import LOGODET3K
from data_prep.sources.mafood121 import MAFOOD121
from data_prep.sources.met import MET
from data_prep.sources.omnibenchmark import OMNIBENCHMARK
from data_prep.sources.products_10k import PRODUCTS_10K
from data_prep.sources.rp2k import RP2K
from data_prep.sources.rpc import RPC
from data_prep.sources.shopee import SHOPEE
from data_prep.sources.source import Source
from data_prep.sources.stanford_cars import STANFORD_CARS
from data_prep.sources.stanford_products import STANFORD_PRODUCTS
from data_prep.sources.storefront146 import STOREFRONT146
from data_prep.sources.vmmrdb import VMMRDB
from data_prep.sources.wikiart import WIKIART

SOURCES: dict[str, Source] = {
    source.key: source
    for source in (
        PRODUCTS_10K,
        STANFORD_PRODUCTS,
        STANFORD_CARS,
        DEEPFASHION_INSHOP,
        GLDV2,
        MET,
        ALIPRODUCTS,
        AMAZON_BERKELEY_OBJECTS,
        COMPCARS,
        DAFRE,
        DEEPFASHION2,
        DEEPFASHION_CONSUMER_TO_SHOP,
        FASHION200K,
        FASHION_PRODUCT_IMAGES,
        FOOD101,
        FOOD2K,
        FOOD_RECOGNITION2022,
        FOODX251,
        FURNITURE180,
        GPR1200,
        GROCERY_STORE,
        H_AND_M,
        IMAGENET1K,
        IMATERIALIST_FURNITURE,
        IMET,
        INAT2018,
        LARGEFINEFOODAI,
        LOGO2K_PLUS,
        LOGODET3K,
        MAFOOD121,
        OMNIBENCHMARK,
        RP2K,
        RPC,
        SHOPEE,
        STOREFRONT146,
        VMMRDB,
        WIKIART,
    )
}
