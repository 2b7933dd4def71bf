"""An update as one launch: recorded as a CUDA graph once, replayed from then on.

An update of a small model is hundreds of short kernels, and launching them takes the host longer
than computing them takes the device. The first updates are launched one kernel after another on a
stream of their own, which is the warm-up that recording needs and useful work besides; the next one
is recorded, which computes nothing, and replayed.

The body must read and write the same memory every time and must not ask the device for anything.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

WARM_UP = 3
"""Updates that are launched plainly before one is recorded; torch asks for three."""

_log = logging.getLogger(__name__)

Body = Callable[[], Tensor]
"""All of an update that the device does; its figures."""


class Graph(Protocol):
    """What can record a body and repeat it."""

    def launch(self, body: Body) -> Tensor:
        """Run the body plainly, where it can be recorded later."""
        ...

    def record(self, body: Body) -> None:
        """Note what the body does, without doing it."""
        ...

    def replay(self) -> Tensor:
        """Do what was recorded; the figures, in memory that the next replay overwrites."""
        ...

    def discard(self) -> None:
        """Clean up after a recording that failed."""
        ...


class CudaGraph:
    """A graph of torch's on the current device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._figures: Tensor | None = None

    def launch(self, body: Body) -> Tensor:
        """Run the body on the stream that records later: autograd remembers streams."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            figures = body()
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return figures

    def record(self, body: Body) -> None:
        """Record on that stream; gradients and activations get memory of the graph's own."""
        self._graph = torch.cuda.CUDAGraph()
        # The outer block returns to the caller's stream where the inner one fails to.
        with torch.cuda.stream(self._stream), torch.cuda.graph(self._graph, stream=self._stream):
            self._figures = body()

    def replay(self) -> Tensor:
        """Launch all of it at once."""
        assert self._graph is not None
        assert self._figures is not None
        self._graph.replay()
        return self._figures

    def discard(self) -> None:
        """Forget the graph, and draw from a generator that is not part of a recording any more."""
        self._graph = None
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        seed = generator.initial_seed()
        generator.graphsafe_set_state(torch.Generator(self._device).manual_seed(seed))


class Captured:
    """Runs one body again and again: recorded and replayed, or plainly where that cannot be."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._launched = 0
        self._refused = False
        self.recorded = False

    def __call__(self, body: Body) -> Tensor:
        """Do what the body does, which must be the same one every time; its figures."""
        if not self.recorded and not self._refused and self._launched == WARM_UP:
            self._record(body)
        if self.recorded:
            return self._graph.replay().clone()
        self._launched += 1
        return self._graph.launch(body)

    def _record(self, body: Body) -> None:
        try:
            self._graph.record(body)
        except RuntimeError as error:
            # Of all that can go wrong, two things do not mean that an update is wrong: a library
            # that does what cannot be recorded, and too little memory for the graph's own.
            if not isinstance(error, torch.OutOfMemoryError) and "captur" not in str(error):
                raise
            reason = str(error).strip().partition("\n")[0]
            _log.warning("updates are launched kernel by kernel, as no graph was made: %s", reason)
        else:
            self.recorded = True
            return
        # Outside of the handler, where what failed has released its memory.
        self._refused = True
        self._graph.discard()
