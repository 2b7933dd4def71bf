"""An update as one launch: recorded once as a CUDA graph, then replayed.

An update of a small model is hundreds of short kernels, and the host needs longer to launch them
than the device to compute them. The first updates are launched kernel by kernel on a separate
stream, which is both useful work and the warm-up that recording needs. Then one update is recorded,
which computes nothing, and replayed from there on.

The body must read and write the same memory every time and must not wait for the device.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

WARM_UP = 3
"""Updates launched kernel by kernel before the recording; torch recommends three."""

_log = logging.getLogger(__name__)

Body = Callable[[], Tensor]
"""All device work of an update; returns its results."""


class Graph(Protocol):
    """Records a body and replays it."""

    def launch(self, body: Body) -> Tensor:
        """Run the body on the stream that can record it later."""
        ...

    def record(self, body: Body) -> None:
        """Record the body without running it."""
        ...

    def replay(self) -> Tensor:
        """Run the recording; the next replay overwrites the results."""
        ...

    def discard(self) -> None:
        """Clean up after a recording that failed."""
        ...


class CudaGraph:
    """A CUDA graph on the current device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._figures: Tensor | None = None

    def launch(self, body: Body) -> Tensor:
        """Run the body on the stream that records later, because autograd remembers streams."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            figures = body()
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return figures

    def record(self, body: Body) -> None:
        """Record on that stream; gradients and activations get memory private to the graph."""
        self._graph = torch.cuda.CUDAGraph()
        # The outer block restores the caller's stream if the inner one fails to.
        with torch.cuda.stream(self._stream), torch.cuda.graph(self._graph, stream=self._stream):
            self._figures = body()

    def replay(self) -> Tensor:
        """Launch the graph."""
        assert self._graph is not None
        assert self._figures is not None
        self._graph.replay()
        return self._figures

    def discard(self) -> None:
        """Drop the graph, and detach the random generator from the failed recording."""
        self._graph = None
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        seed = generator.initial_seed()
        generator.graphsafe_set_state(torch.Generator(self._device).manual_seed(seed))


class Captured:
    """Runs one body repeatedly: recorded and replayed, or kernel by kernel if that fails."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._launched = 0
        self._refused = False
        self.recorded = False

    def __call__(self, body: Body) -> Tensor:
        """Run the body, the same one every time; return its results."""
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
            # Only two failures do not mean that the update itself is wrong: a library call that
            # cannot be recorded, and too little memory for the graph.
            if not isinstance(error, torch.OutOfMemoryError) and "captur" not in str(error):
                raise
            reason = str(error).strip().partition("\n")[0]
            _log.warning("no CUDA graph, so updates are launched kernel by kernel: %s", reason)
        else:
            self.recorded = True
            return
        # Outside the handler, because by now the failed recording has released its memory.
        self._refused = True
        self._graph.discard()
