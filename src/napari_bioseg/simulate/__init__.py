"""Seeded images with an exact ground truth: for samples, tests and training."""

from napari_bioseg.simulate.em import em_membranes
from napari_bioseg.simulate.emccd import emccd_frames, vesicle_scene
from napari_bioseg.simulate.phase import phase_contrast_cells
from napari_bioseg.simulate.pictures import foreign_pictures
from napari_bioseg.simulate.samples import SAMPLES, sample, sample_vesicles
from napari_bioseg.simulate.scenes import foreign_scenes
from napari_bioseg.simulate.two_photon import Optics
from napari_bioseg.simulate.vessels import vessel_image_from_mask, vessel_tree

__all__ = [
    "SAMPLES",
    "Optics",
    "em_membranes",
    "emccd_frames",
    "foreign_pictures",
    "foreign_scenes",
    "phase_contrast_cells",
    "sample",
    "sample_vesicles",
    "vesicle_scene",
    "vessel_image_from_mask",
    "vessel_tree",
]
