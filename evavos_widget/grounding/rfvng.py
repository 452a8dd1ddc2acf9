"""RF-VNG ready for use: a video, a caption and a noun to masks on every frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from evavos_widget import checkpoints
from evavos_widget.networks.devices import chosen_device
from evavos_widget.networks.rfvng import RfVng
from evavos_widget.networks.rfvng_weights import load_rfvng
from evavos_widget.networks.scene import ENCODER, look_at
from evavos_widget.networks.words import MOST_PIECES, caption_pieces, check_span
from evavos_widget.video import Video

__all__ = ["DEFAULT", "GROUNDERS", "Grounding", "RfVngGrounder"]

DEFAULT = "rf-vng"
"""The weights that come with the package."""

GROUNDERS = ("rf-vng", "name-only", "salient")
"""What of a caption is read: all of it, the noun's words alone, or nothing."""

WINDOW = 256
"""So many frames are looked at together; in longer videos each stretch on its own."""

AT_A_TIME = 16
"""So many frames go through the network's convolutions at a time."""


@dataclass(frozen=True, eq=False)
class Grounding:
    """What a noun was found to mean.

    Parameters
    ----------
    probabilities : (N, h, w) float32 array
        Of each frame at a quarter of the resolution that was worked on.
    shown : (N,) float32 array in [0, 1]
        How probably each frame shows the object at all.
    shape : (int, int)
        Height and width of the video.
    """

    probabilities: np.ndarray
    shown: np.ndarray
    shape: tuple[int, int]

    def soft(self, frame: int) -> np.ndarray:
        """(H, W) float32 probabilities of a frame, at the video's size."""
        small = self.probabilities[frame]
        return cv2.resize(small, self.shape[::-1], interpolation=cv2.INTER_LINEAR)

    def mask(self, frame: int) -> np.ndarray:
        """(H, W) bool: the object where it is probable, nothing where it is not shown."""
        if self.shown[frame] < 0.5:
            return np.zeros(self.shape, bool)
        return self.soft(frame) >= 0.5

    def certainty(self) -> np.ndarray:
        """Expected IoU of the mask of each frame with the truth, (N,) in [0, 1].

        The expected intersection by the expected union, were the probabilities right, times how
        probably the object is there; 0 where no pixel is probable.
        """
        p = self.probabilities
        inside = p >= 0.5
        union = inside.sum((1, 2)) + np.where(inside, 0, p).sum((1, 2))
        expected = np.where(inside, p, 0).sum((1, 2)) / np.maximum(union, 1e-6)
        return np.where(self.shown >= 0.5, expected * self.shown, 0.0)

    @property
    def best(self) -> int | None:
        """The frame with the most certain mask; None where no frame has one."""
        return next(self.ranked(), None)

    def ranked(self) -> Iterator[int]:
        """Frames that have a mask, the most certain one first."""
        certainty = self.certainty()
        # A small mask may be lost where the picture is enlarged to the video's size.
        for frame in np.argsort(-certainty, kind="stable").tolist():
            if certainty[frame] > 0 and self.mask(frame).any():
                yield frame


class RfVngGrounder:
    """Finds what a noun of a caption means.

    What the encoder says of the last video is kept, so that further nouns take little time.

    Parameters
    ----------
    weights : path or str
        A file that ``evavos vng train`` wrote, or ``rf-vng``.
    device : str, optional
        A GPU where there is one, by default.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] = DEFAULT,
        *,
        device: str | None = None,
    ) -> None:
        self.device = chosen_device(device)
        path = checkpoints.find(DEFAULT) if weights == DEFAULT else Path(weights).expanduser()
        self.network = _network(path.resolve(), self.device)
        self._seen: tuple[object, list[torch.Tensor]] | None = None

    def ground(self, video: Video, caption: str, span: Sequence[int]) -> Grounding:
        """Masks of one noun; see `ground_all`."""
        return self.ground_all(video, [(caption, span)])[0]

    @torch.inference_mode()
    def ground_all(
        self, video: Video, nouns: Sequence[tuple[str, Sequence[int]]], *, reads: str = "rf-vng"
    ) -> list[Grounding]:
        """Masks of several nouns, each found on its own.

        Parameters
        ----------
        video : Video
        nouns : sequence of (str, (int, int))
            Captions, and of each the marked noun: from its first character to that after its
            last.
        reads : str
            What is read of the captions, one of `GROUNDERS`: the other two are the baselines.

        Returns
        -------
        list of Grounding

        Raises
        ------
        ValueError
            A span is no part of its caption, or holds no word; or `reads` is none of them.
        """
        if reads not in GROUNDERS:
            raise ValueError(f"nothing reads {reads!r}; choose from {', '.join(GROUNDERS)}.")
        query = torch.stack([self._query(*noun, reads) for noun in nouns])
        found = []
        for start in range(0, video.n_frames, WINDOW):
            frames = range(start, min(start + WINDOW, video.n_frames))
            cells, maps = self._look(video, frames)
            said = self.network(query[None], cells[None], maps[None])
            found.append(
                (said.masks[0].sigmoid().cpu().numpy(), said.shown[0].sigmoid().cpu().numpy())
            )
        masks, shown = (np.concatenate(part, 1) for part in zip(*found, strict=True))
        shape = video.height, video.width
        return [Grounding(m, s, shape) for m, s in zip(masks, shown, strict=True)]

    def _query(self, caption: str, span: Sequence[int], reads: str) -> torch.Tensor:
        start, stop = check_span(caption, span)
        if reads == "salient":
            pieces, marked = np.zeros((1, MOST_PIECES), np.int64), np.zeros(1, bool)
        elif reads == "name-only":
            pieces, marked = caption_pieces(caption[start:stop], (0, stop - start))
        else:
            pieces, marked = caption_pieces(caption, (start, stop))
        given = (torch.from_numpy(a)[None].to(self.device) for a in (pieces, marked))
        return self.network.query(*given)[0]

    def _look(self, video: Video, frames: range) -> list[torch.Tensor]:
        key = (video.token, frames)
        if self._seen is not None and self._seen[0] == key:
            return self._seen[1]
        scene = look_at([video.frame(f) for f in frames], weights=ENCODER, device=self.device)
        parts = []
        for i in range(0, len(frames), AT_A_TIME):
            given = (torch.from_numpy(a[i : i + AT_A_TIME]).float().to(self.device) for a in scene)
            parts.append(self.network.look(*given))
        seen = [torch.cat(part) for part in zip(*parts, strict=True)]
        self._seen = key, seen
        return seen


@lru_cache(maxsize=2)
def _network(path: Path, device: str) -> RfVng:
    return load_rfvng(path).requires_grad_(False).to(device)
