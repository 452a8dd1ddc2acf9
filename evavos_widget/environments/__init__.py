"""Where agents learn: annotation as a Gymnasium environment, and trying what might be done.

Importing it registers ``evavos_widget/Annotation-v0``, where Gymnasium is installed.
"""

from __future__ import annotations

from evavos_widget.networks.observation import observation

__all__ = ["ANNOTATION", "observation"]

ANNOTATION = "evavos_widget/Annotation-v0"
"""For `gymnasium.make`."""

try:
    from gymnasium.envs.registration import register
except ModuleNotFoundError:  # an optional part, as its use will say
    pass
else:
    register(ANNOTATION, f"{__name__}.annotation:AnnotationEnv")
