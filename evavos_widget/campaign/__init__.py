"""Many videos, one budget: which of them to go on with, and where in it."""

from evavos_widget.campaign.campaign import Campaign
from evavos_widget.campaign.standing import MEAN_ERROR, MeanError, Standing

__all__ = ["MEAN_ERROR", "Campaign", "MeanError", "Standing"]
