"""A session small enough to see through, and pages that talk to its controller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake_page import HEIGHT, N_FRAMES, WIDTH, Page, square
from small_engines import DiscPredictor, NearestPropagator

from evavos_widget.session import Session
from evavos_widget.widgets.annotator_controller import AnnotatorController


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N_FRAMES, HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def propagator() -> NearestPropagator:
    return NearestPropagator()


@pytest.fixture
def predictor() -> DiscPredictor:
    return DiscPredictor()


@pytest.fixture
def session(frames, propagator, predictor, tmp_path) -> Iterator[Session]:
    with Session(
        frames, propagator=propagator, predictor=predictor, path=tmp_path / "clip.evavos"
    ) as session:
        yield session


@pytest.fixture
def connect(session) -> Iterator[Callable[..., Page]]:
    """Open a page on the session; several pages share one controller, as in a notebook."""
    pages: list[Page] = []

    def send(content: dict[str, Any], buffers: list[bytes]) -> None:
        for page in pages:
            page.receive(content, buffers)

    controller = AnnotatorController(session, send)

    def connect(view: str = "page", **options: Any) -> Page:
        page = Page(view, **options)
        page.handle = controller.host.handle
        pages.append(page)
        return page

    connect.controller = controller  # type: ignore[attr-defined]
    yield connect
    controller.close()


@pytest.fixture
def controller(connect) -> AnnotatorController:
    return connect.controller


@pytest.fixture
def page(connect) -> Page:
    page = connect()
    page.hello()
    return page


@pytest.fixture
def outlined(page, session) -> Page:
    """A page on a session with one object, outlined on frame 0; nothing propagated."""
    page.ask("object.add", name="bird")
    page.reply(page.commit(0, square()))
    return page
