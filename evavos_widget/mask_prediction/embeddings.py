"""What depends on an image alone: kept, and made ahead in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.mask_prediction.pixels import checked
from evavos_widget.networks.devices import out_of_memory

__all__ = ["AHEAD", "Embeddings"]

AHEAD = 3
"""How many images may wait to be embedded ahead: those of all frames suggested at once."""


class Embeddings:
    """Embeddings of images by key.

    Parameters
    ----------
    name : str
        Of the predictor, for messages.
    embed : callable
        Makes one of an (H, W, 3) uint8 image; it says its size as ``nbytes``.
    cache : ByteBoundedCache
        Keeps them; others may keep things in it too.
    """

    def __init__(
        self, name: str, embed: Callable[[np.ndarray], Any], cache: ByteBoundedCache
    ) -> None:
        self._name, self._embed, self._cache = name, embed, cache
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-ahead")
        self._coming: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Embed an image in the background, so that the first click on it does not wait.

        Parameters
        ----------
        image : callable
            Returns the (H, W, 3) uint8 RGB image.
        key : hashable
            What `get` will be given with it. Of the images that wait to be embedded only the
            `AHEAD` that were named last are.
        """
        if self._cache.peek(key) is not None:
            return
        with self._lock:
            if key in self._coming:
                return
            waiting = [future for future in self._coming.values() if not future.running()]
            coming = self._coming[key] = self._ahead.submit(
                lambda: self._cache.get(key, lambda: self._embedded(checked(image())))
            )
        for future in waiting[: max(0, len(waiting) + 1 - AHEAD)]:
            future.cancel()
        coming.add_done_callback(lambda _: self._forget(key))

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._coming.pop(key, None)

    def get(self, image: np.ndarray, key: Hashable | None) -> Any:
        """The embedding of an image, kept where it has a key.

        Raises
        ------
        RuntimeError
            There is not enough memory.
        """
        if key is None:
            return self._embedded(image)
        with self._lock:
            coming = self._coming.get(key)
        if coming is not None and not coming.cancel():
            return coming.result()
        return self._cache.get(key, lambda: self._embedded(image))

    def _embedded(self, image: np.ndarray) -> Any:
        """An embedding; where memory is short, without those that are kept."""
        for attempt in (1, 2):
            try:
                return self._embed(image)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if attempt == 2:
                    raise RuntimeError(
                        f"there is not enough memory for {self._name!r} on pictures of "
                        f"{image.shape[0]} x {image.shape[1]} pixels; name a smaller model, "
                        "device='cpu', or the engine 'compact'."
                    ) from error
            self._cache.clear()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
