"""Whether an image is like those that a model was trained on, in figures; no network runs here."""

from napari_bioseg.drift.causes import Action, Cause, find_causes
from napari_bioseg.drift.change import Tried, sizes_worth_trying
from napari_bioseg.drift.distances import DISTANCES, OUTPUT, deviation, distances, nearest, ratios
from napari_bioseg.drift.figures import BANDS, CENTRES, EDGES, Figures, describe
from napari_bioseg.drift.profile import Profile
from napari_bioseg.drift.reference import Known, make_profile
from napari_bioseg.drift.stream import Change, recent_change

__all__ = [
    "BANDS",
    "CENTRES",
    "DISTANCES",
    "EDGES",
    "OUTPUT",
    "Action",
    "Cause",
    "Change",
    "Figures",
    "Known",
    "Profile",
    "Tried",
    "describe",
    "deviation",
    "distances",
    "find_causes",
    "make_profile",
    "nearest",
    "ratios",
    "recent_change",
    "sizes_worth_trying",
]
