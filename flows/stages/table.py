"""The five stages in their order."""

from flows.stages.corpus import CORPUS
from flows.stages.evaluate import EVALUATE
from flows.stages.fetch import FETCH
from flows.stages.sample import SAMPLE
from flows.stages.train import TRAIN

STAGES = (FETCH, CORPUS, TRAIN, SAMPLE, EVALUATE)
