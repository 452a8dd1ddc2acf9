"""Whether an engine keeps the promises of its stage: for anybody's, and for the project's own.

>>> from evavos_widget.testing import check_frame_selector
>>> check_frame_selector("farthest-in-time")
"""

from __future__ import annotations

from evavos_widget.testing.point_selectors import check_point_selector
from evavos_widget.testing.predictors import check_predictor
from evavos_widget.testing.promises import BrokenPromiseError
from evavos_widget.testing.propagators import check_propagator
from evavos_widget.testing.selectors import check_annotation_selector, check_frame_selector
from evavos_widget.testing.stand_ins import Disks, NearestCopy, NearestSquares

__all__ = [
    "BrokenPromiseError",
    "Disks",
    "NearestCopy",
    "NearestSquares",
    "check_annotation_selector",
    "check_frame_selector",
    "check_point_selector",
    "check_predictor",
    "check_propagator",
]
