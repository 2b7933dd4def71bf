"""The five stages in their order."""

from flows.corpus import CORPUS
from flows.evaluate import EVALUATE
from flows.fetch import FETCH
from flows.sample import SAMPLE
from flows.train import TRAIN

STAGES = (FETCH, CORPUS, TRAIN, SAMPLE, EVALUATE)
