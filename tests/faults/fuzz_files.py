"""Damaged copies of the files that charmill wrote, read in this process."""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save

from corpora.corpus.card import NOTHING as _  # noqa: F401
