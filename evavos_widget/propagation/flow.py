"""Weight-free propagation: optical flow, nearest descriptors and edge-aware relaxation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evavos_widget.propagation.chain import Chain
from evavos_widget.propagation.chained import ChainedPropagator
from evavos_widget.propagation.frames import Frames

if TYPE_CHECKING:
    import numpy as np

    from evavos_widget.video import Video

__all__ = ["FlowPropagator"]


class FlowPropagator(ChainedPropagator):
    """Carries masks in chains, with nothing learned; see docs/flow.md."""

    name = "flow"

    def _open(self, video: Video) -> Frames:
        return Frames(video)

    def _begin(self, source: int, direction: int, mask: np.ndarray) -> Chain:
        return Chain(source, direction, mask, self._frames.size)
