"""Sample images in *File → Open Sample → BioSeg*."""

from __future__ import annotations

from dataclasses import replace

from napari_bioseg.plugin.layers import LayerData, image_layers


def membranes() -> list[LayerData]:
    """Simulated serial-section EM of cell membranes, with its ground truth."""
    return _sample("membranes", "EM membranes")


def vessels() -> list[LayerData]:
    """Simulated two-photon stack of blood vessels, with its ground truth."""
    return _sample("vessels", "Vessels")


def cells() -> list[LayerData]:
    """Simulated phase-contrast cells, with their ground truth."""
    return _sample("cells", "Phase-contrast cells")


def vesicles() -> list[LayerData]:
    """Simulated EMCCD frames of cell-derived vesicles, with their true boxes."""
    from napari_bioseg.core.boxes import Boxes
    from napari_bioseg.plugin.box_layer import box_layer_data
    from napari_bioseg.plugin.box_state import BoxState
    from napari_bioseg.plugin.layers import geometry
    from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector
    from napari_bioseg.simulate import sample_vesicles

    image, truth = sample_vesicles()
    image = replace(image, name="CDV on EMCCD")
    state = BoxState(BoxSelector(Boxes.none()), BoxOptions(), 0.0, image, image.axes)
    drawn = replace(truth, hand=~truth.hand)
    data, attributes, kind = box_layer_data(state, drawn, name="ground truth", placement=geometry(image))
    # The truth would cover the image that the user came to see.
    return [*image_layers(image), (data, attributes | {"visible": False}, kind)]


def _sample(name: str, title: str) -> list[LayerData]:
    from napari_bioseg.simulate import sample

    image = sample(name)
    truth = tuple(replace(labels, name="ground truth") for labels in image.labels)
    layers = image_layers(replace(image, name=title, labels=truth))
    # The truth would cover the image that the user came to see.
    return [
        (data, attributes | ({"visible": False} if kind == "labels" else {}), kind) for data, attributes, kind in layers
    ]
