"""Tools for whole objects: merge, delete, assign a label."""

from __future__ import annotations

from collections.abc import Sequence

from napari_bioseg.corrections.change import Change
from napari_bioseg.editing.ground import Ground
from napari_bioseg.editing.objects import under
from napari_bioseg.editing.scene import Scene

Points = Sequence[tuple[int, ...]]


def merge(scene: Scene, points: Points) -> Change | None:
    """Give the object under the second click the label of the one under the first."""
    ground = Ground(scene, "Merge")
    first, second = points
    label = ground.label_at(ground.place(first))
    if label == 0:
        raise ground.error("the first click is on the background", "Click on an object")
    other = under(ground, second)
    if other.label == label:
        raise ground.error(f"both clicks are on label {label}", "Click on objects of two labels")
    return ground.change("merge", other.edits(label))


def delete(scene: Scene, points: Points) -> Change | None:
    """Make the object under the click background."""
    ground = Ground(scene, "Delete")
    return ground.change("delete", under(ground, points[0]).edits(0))


def relabel(scene: Scene, points: Points) -> Change | None:
    """Give the object under the click the label chosen in the window; in a map of classes this is its class."""
    ground = Ground(scene, "Assign label")
    return ground.change("relabel", under(ground, points[0]).edits(chosen(ground)))


def chosen(ground: Ground) -> int:
    """Return the label chosen in the window.

    Raises
    ------
    EditError
        It is 0, the background.
    """
    if ground.scene.label == 0:
        raise ground.error("label 0 is the background", "Choose another label")
    return ground.scene.label
