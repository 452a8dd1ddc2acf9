"""A noun of a caption as a new object of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evavos_widget.grounding.rfvng import Grounding, RfVngGrounder
from evavos_widget.networks.words import check_span
from evavos_widget.session import Session

__all__ = ["Grounded", "ground"]


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
    in it, so that whatever is drawn, clicked or accepted later counts for more. One that is wrong
    is corrected as any other, or taken back with ``session.undo()``, twice: the mask, and the
    object.

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
        The object is found on no frame; the session is as it was.
    """
    start, stop = check_span(caption, span)
    found = (grounder or RfVngGrounder()).ground(session.video, caption, span)
    best = found.best
    if best is None:
        raise LookupError(
            f"no frame shows the {caption[start:stop]!r} that is meant; say more of it, or outline "
            "it by hand."
        )
    trust = float(found.certainty()[best])
    obj = session.add_object(name or caption[start:stop])
    labels = np.where(found.mask(best), obj, 0).astype(np.uint8)
    session.import_masks({best: labels}, objects=[obj], ids="values", trust=trust)
    return Grounded(obj, best, trust, found)
