"""Two policies on one video, round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evavos_widget.inspection.rounds import Inspection
    from evavos_widget.suggestion import Suggestion

__all__ = ["compared"]


def compared(first: Inspection, second: Inspection) -> list[dict[str, Any]]:
    """What two policies ask for in each round, and where they first disagree.

    Of two sessions of one video each policy is asked in the states of its own session, so that
    everything after the first disagreement differs by it too; of one session, both are asked in the
    same states.

    Parameters
    ----------
    first, second : Inspection

    Returns
    -------
    list of dict
        ``round``; of ``first`` and ``second`` each the ``frame``, ``object``, ``kind`` and
        ``reason`` (None for nothing to ask); ``same``, whether frame, object and type agree;
        ``first_disagreement``, true in one row at most.

    Raises
    ------
    ValueError
        The sessions are of other videos.
    """
    if first.session is not second.session:
        fingerprints = [each.session.video.fingerprint() for each in (first, second)]
        if fingerprints[0] != fingerprints[1]:
            raise ValueError(
                f"{first.session.video.name!r} and {second.session.video.name!r} are two videos; "
                "compare policies on one."
            )
    rows: list[dict[str, Any]] = []
    agreed = True
    for n in range(min(len(first), len(second)) + 1):
        choices = [first.choice(n), second.choice(n)]
        same = _key(choices[0]) == _key(choices[1])
        rows.append(
            {
                "round": n,
                "first": _told(choices[0]),
                "second": _told(choices[1]),
                "same": same,
                "first_disagreement": agreed and not same,
            }
        )
        agreed = agreed and same
    return rows


def _key(choice: Suggestion | None) -> tuple[int, int, str] | None:
    return None if choice is None else (choice.frame, choice.object, choice.kind)


def _told(choice: Suggestion | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    names = ("frame", "object", "kind", "reason")
    return {name: getattr(choice, name) for name in names}
