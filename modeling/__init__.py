"""Tensors: the character LSTM, its training, sampling and likelihood.

OpenMP threads must sleep, not spin, while they wait: with a busy neighbour the default spinning
costs a factor of six on two cores. libgomp reads its settings once, when torch is loaded, so they
stand here, before any module of this package can import torch. The user's own settings win.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
