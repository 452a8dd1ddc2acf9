"""Looking into a policy: what it went by in each round, what followed, and what else could have."""

from evavos_widget.inspection.branches import Branch, what_if
from evavos_widget.inspection.comparison import compared
from evavos_widget.inspection.rounds import Inspection

__all__ = ["Branch", "Inspection", "compared", "what_if"]
