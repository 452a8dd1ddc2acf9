"""The random type is drawn anew each time, on a frame that is visited again too."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from evavos_widget.annotation_selection.baselines import Random
from evavos_widget.frame_selection.baselines import Random as RandomFrame
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy


def test_a_type_after_a_revisit_is_drawn_anew():
    video = np.random.default_rng(0).integers(0, 255, (4, 24, 32, 3), dtype=np.uint8)
    mask = np.zeros((24, 32), bool)
    mask[6:14, 8:20] = True
    alike = []
    for seed in range(8):
        with Session(
            video,
            propagator=NearestCopy(),
            predictor=Disks(),
            frame_selector=RandomFrame(seed),
            annotation_selector=Random(seed),
            path=None,
        ) as session:
            obj = session.add_object()
            session.annotate(0, mask, objects=[obj])
            session.propagate(progress=False)
            made = []
            for _ in range(12):
                asked = session.suggest()
                if asked is None:
                    break
                again = asked.frame in session.annotations
                made.append((asked.kind, again))
                # What is drawn is doubted as much, so that every frame stays open.
                session.annotate(asked.frame, mask, objects=[obj], kind=asked.kind, trust=0.3)
                session.propagate(progress=False)
            alike += [kind == after for (kind, again), (after, _) in pairwise(made) if again]
    assert len(alike) > 20
    assert 0.2 < np.mean(alike) < 0.8
