"""A noun of a caption as a new object of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evavos_widget.grounding.rfvng import Grounding, RfVngGrounder
from evavos_widget.networks.words import check_span
from evavos_widget.session import Session

__all__ = ["Grounded", "ground"]

LEAST_FREE = 0.5
"""Of a mask, what may not lie on what is annotated: else it is that. Our choice."""


@dataclass(frozen=True, eq=False)
class Grounded:
    """What was added to a session.

    Parameters
    ----------
    object : int
        The new object's id.
    frame : int
        The frame with its first mask.
    trust : float
        What that mask is expected to be worth, 0 to 1.
    grounding : Grounding
        What was found on all frames.
    """

    object: int
    frame: int
    trust: float
    grounding: Grounding


def ground(
    session: Session,
    caption: str,
    span: Sequence[int],
    *,
    grounder: RfVngGrounder | None = None,
    name: str | None = None,
) -> Grounded:
    """Add the object that a noun means, with a mask on the frame where that is most certain.

    The mask is an annotation as of masks that are imported, with the trust that the network has
    in it, so that whatever is drawn, clicked or accepted counts for more: what is annotated on the
    frame keeps its pixels, and where that is most of the mask, the next frame is taken. One that
    is wrong is corrected as any other, or taken back with ``session.undo()``, twice: the mask,
    and the object.

    Parameters
    ----------
    session : Session
    caption : str
    span : (int, int)
        Of the noun, from its first character to that after its last.
    grounder : RfVngGrounder, optional
        The one with the weights of the package by default.
    name : str, optional
        Of the object; the noun by default.

    Raises
    ------
    ValueError
        The span is no part of the caption, or holds no word.
    LookupError
        The object is found on no frame, or only where others are annotated; the session is as it
        was.
    """
    start, stop = check_span(caption, span)
    found = (grounder or RfVngGrounder()).ground(session.video, caption, span)
    noun = caption[start:stop]
    if found.best is None:
        raise LookupError(
            f"no frame shows the {noun!r} that is meant; say more of it, or outline it by hand."
        )
    for frame in found.ranked():
        mask = found.mask(frame)
        free = mask & ~_taken(session, frame)
        if free.sum() >= LEAST_FREE * mask.sum():
            break
    else:
        raise LookupError(
            f"where {noun!r} is found, other objects are annotated or locked; say more of it, or "
            "outline it by hand."
        )
    trust = float(found.certainty()[frame])
    obj = session.add_object(name or noun)
    labels = np.where(free, obj, 0).astype(np.uint8)
    session.import_masks({frame: labels}, objects=[obj], ids="values", trust=trust)
    return Grounded(obj, frame, trust, found)


def _taken(session: Session, frame: int) -> np.ndarray:
    """Where objects are annotated or locked on a frame, (H, W) bool."""
    locked = [o.id for o in session.objects if o.locked]
    taken = np.isin(session.masks[frame], locked)
    annotation = session.annotations.get(frame)
    return taken if annotation is None else taken | (annotation.labels > 0)
