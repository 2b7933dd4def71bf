"""Character models: training, sampling and likelihood.

OpenMP threads must sleep, not spin, while they wait: if another process keeps a core busy, the
default spinning makes training six times slower on two cores. libgomp reads its settings once, when
torch is loaded, so they are set here, before any module of this package imports torch. Settings of
the user take precedence.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
