"""How promises are checked, and how it is told which one was broken."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import numpy as np

from evavos_widget import engines
from evavos_widget.contract import BASES, require
from evavos_widget.loop import LoopState

__all__ = ["BrokenPromiseError", "Make", "Promises", "drawing_lots", "fail"]

Make = Callable[[], Any]
"""Makes an engine as new; or gives the only one there is."""

COMMON: Mapping[str, str] = {
    "offers-all": "it has every member of its protocol, as described there",
    "leaves-input-alone": "what it is given is not changed",
    "sees-the-state-only": "a selector looks at what `LoopState` has, which is never ground truth",
}


class BrokenPromiseError(AssertionError):
    """An engine does not do what its stage promises.

    Attributes
    ----------
    promise : str
        Its name, such as ``'each-frame-once'``.
    """

    def __init__(self, message: str, promise: str) -> None:
        super().__init__(message)
        self.promise = promise


class _Broken(Exception):  # noqa: N818 (never leaves this package)
    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(detail)
        self.promise = promise


def fail(promise: str, detail: str) -> NoReturn:
    """Say that a promise is broken, and how."""
    raise _Broken(promise, detail)


class Promises:
    """The promises of a stage, and the scenes in which they are put to the test.

    Parameters
    ----------
    stage : str
        A key of `evavos_widget.contract.BASES`.
    sentences : mapping of name -> sentence
        What is promised.
    """

    def __init__(self, stage: str, sentences: Mapping[str, str]) -> None:
        self.stage = stage
        self.sentences = {**COMMON, **sentences}
        self._scenes: list[tuple[str, Callable[[Make], None]]] = []

    def scene(self, promise: str) -> Callable[[Callable[[Make], None]], Callable[[Make], None]]:
        """Register a scene; an exception that an engine raises in it breaks `promise`."""
        assert promise in self.sentences

        def register(scene: Callable[[Make], None]) -> Callable[[Make], None]:
            self._scenes.append((promise, scene))
            return scene

        return register

    def check(self, engine: Any) -> None:
        """Play all scenes; the first promise that is broken is raised."""
        make = self._maker(engine)
        try:
            first = make()
            require(self.stage, first)
        except (TypeError, ValueError) as error:  # the latter of names that make no engine
            raise BrokenPromiseError(str(error), "offers-all") from error
        for promise, scene in self._scenes:
            try:
                scene(make)
            except _Broken as broken:
                raise self._told(first, broken.promise, str(broken)) from None
            except Exception as error:  # whatever an engine raises
                detail = f"it raised {type(error).__name__}: {error}"
                raise self._told(first, _promise_of(error, promise), detail) from error

    def _told(self, engine: Any, promise: str, detail: str) -> BrokenPromiseError:
        return BrokenPromiseError(
            f"{type(engine).__name__} breaks the promise {promise!r} of a "
            f"{self.stage.replace('_', ' ')} ({self.sentences[promise]}): {detail}",
            promise,
        )

    def _maker(self, engine: Any) -> Make:
        if isinstance(engine, str):
            return partial(engines.create, self.stage, engine)
        methods: frozenset[str] = BASES[self.stage].__abstractmethods__
        if isinstance(engine, type) or (
            callable(engine) and not any(hasattr(engine, name) for name in methods)
        ):
            return engine
        return lambda: engine


def _promise_of(error: Exception, promise: str) -> str:
    """A more exact promise than the scene's, where an exception tells."""
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "leaves-input-alone"
    if isinstance(error, AttributeError) and isinstance(error.obj, LoopState):
        return "sees-the-state-only"
    return promise


@contextmanager
def drawing_lots(seed: int) -> Iterator[None]:
    """Another state of the shared random generators, which no engine may draw from."""
    torch = sys.modules.get("torch")
    before = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(before[2])
