"""Scores of a segmentation against a ground truth: numpy, scipy and scikit-image only."""

from napari_bioseg.metrics.confusion import confusion_matrix
from napari_bioseg.metrics.membranes import MembraneScores, membrane_scores, thin_borders
from napari_bioseg.metrics.overlap import dice, iou, oracle_threshold_dice, pixel_accuracy
from napari_bioseg.metrics.partition import PartitionScores, information_scores, rand_scores
from napari_bioseg.metrics.ranking import auprc
from napari_bioseg.metrics.topology import cldice

__all__ = [
    "MembraneScores",
    "PartitionScores",
    "auprc",
    "cldice",
    "confusion_matrix",
    "dice",
    "information_scores",
    "iou",
    "membrane_scores",
    "oracle_threshold_dice",
    "pixel_accuracy",
    "rand_scores",
    "thin_borders",
]
