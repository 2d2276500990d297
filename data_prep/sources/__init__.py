"""The known data sets: `SOURCES[key]`."""

from data_prep.sources.deepfashion_inshop import DEEPFASHION_INSHOP
from data_prep.sources.gldv2 import GLDV2
from data_prep.sources.met import MET
from data_prep.sources.products_10k import PRODUCTS_10K
from data_prep.sources.source import Source
from data_prep.sources.stanford_cars import STANFORD_CARS
from data_prep.sources.stanford_products import STANFORD_PRODUCTS

SOURCES: dict[str, Source] = {
    source.key: source
    for source in (PRODUCTS_10K, STANFORD_PRODUCTS, STANFORD_CARS, DEEPFASHION_INSHOP, GLDV2, MET)
}
