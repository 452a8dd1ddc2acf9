"""Masks on video in a notebook, with an agent that says which frame to annotate and how.

The public names; each is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from evavos_widget.version import VERSION

if TYPE_CHECKING:
    from evavos_widget.campaign import Campaign
    from evavos_widget.datasets.davis import open_sequence, write_sequence
    from evavos_widget.datasets.embedded import embedded_clip
    from evavos_widget.experiments.experiment import Experiment
    from evavos_widget.grounding.rfvng import RfVngGrounder
    from evavos_widget.grounding.session import ground
    from evavos_widget.prompts import Box, Click, Costs, Scribble
    from evavos_widget.robot.annotator import RobotAnnotator
    from evavos_widget.session import Session
    from evavos_widget.suggestion import Suggestion
    from evavos_widget.video import Video
    from evavos_widget.widgets.annotator import Annotator
    from evavos_widget.widgets.campaign import CampaignView
    from evavos_widget.widgets.caption import CaptionBox
    from evavos_widget.widgets.curves import Curves
    from evavos_widget.widgets.policy import PolicyExplorer
    from evavos_widget.widgets.verifier import Verifier

__version__ = VERSION

_HOMES = {
    "Annotator": "widgets.annotator",
    "Box": "prompts",
    "Campaign": "campaign",
    "CampaignView": "widgets.campaign",
    "CaptionBox": "widgets.caption",
    "Click": "prompts",
    "Costs": "prompts",
    "Curves": "widgets.curves",
    "Experiment": "experiments.experiment",
    "PolicyExplorer": "widgets.policy",
    "RfVngGrounder": "grounding.rfvng",
    "RobotAnnotator": "robot.annotator",
    "Scribble": "prompts",
    "Session": "session",
    "Suggestion": "suggestion",
    "Verifier": "widgets.verifier",
    "Video": "video",
    "embedded_clip": "datasets.embedded",
    "ground": "grounding.session",
    "open_sequence": "datasets.davis",
    "write_sequence": "datasets.davis",
}

__all__ = [
    "Annotator",
    "Box",
    "Campaign",
    "CampaignView",
    "CaptionBox",
    "Click",
    "Costs",
    "Curves",
    "Experiment",
    "PolicyExplorer",
    "RfVngGrounder",
    "RobotAnnotator",
    "Scribble",
    "Session",
    "Suggestion",
    "Verifier",
    "Video",
    "__version__",
    "embedded_clip",
    "ground",
    "open_sequence",
    "write_sequence",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
