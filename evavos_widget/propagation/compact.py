"""Propagation with the compact network: space-time memory in chains."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.loop import Annotation
from evavos_widget.networks.deferred import DeferredNetwork
from evavos_widget.propagation.chained import ChainedPropagator
from evavos_widget.propagation.located import located

if TYPE_CHECKING:
    # Imported where it is needed, with PyTorch; see `DeferredNetwork`.
    from evavos_widget.propagation.compact_chain import CompactChain, CompactFrames
    from evavos_widget.video import Video

__all__ = ["CompactPropagator"]


class CompactPropagator(ChainedPropagator):
    """Carries masks in chains, each frame read out of the memory of its chain.

    Where an annotation consists of points, they go into the value encoder in the place of a mask,
    and the object's mask on that frame is read out of the frame itself; the chains start from it.
    Weights that were not trained with points make little of them.

    Parameters
    ----------
    weights : path or str, optional
        A file that ``evavos train compact`` wrote, or the name of weights
        that come with the package: ``davis`` (default) or ``free``.
    device : str, optional
        A GPU where there is one, by default.
    merge : {'trust', 'nearest'}
        As for `ChainedPropagator`.
    """

    name = "compact"
    accepts = frozenset({"mask", "points"})
    learned = True
    quality_weights = (0.36, 1.02, -0.28)
    """See `evavos_widget.probabilities.QUALITY_WEIGHTS`. Fitted with the weights ``free``, which
    saw no video, on every other sequence of DAVIS-2016 train."""

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        *,
        merge: str = "trust",
    ) -> None:
        super().__init__(merge=merge)
        self._network = DeferredNetwork(weights, device)
        self.notice, self.device = self._network.notice, self._network.device

    def _located(self, annotations: Mapping[int, Annotation]) -> Mapping[int, Annotation]:
        return located(annotations, self._frames.locate)

    def _open(self, video: Video) -> CompactFrames:
        from evavos_widget.propagation.compact_chain import CompactFrames

        return CompactFrames(video, self._network.get())

    def _begin(self, source: int, direction: int, mask: np.ndarray) -> CompactChain:
        from evavos_widget.propagation.compact_chain import CompactChain

        return CompactChain(source, direction, mask, self._frames.grids)
