"""Image/label pairs, loaded, normalised and brought to the model's pixel size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg import simulate
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.io import open_image
from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.normalise import apply_normalisation
from napari_bioseg.models.pixel_size import model_pixels
from napari_bioseg.tasks import map_labels
from napari_bioseg.training.recipe import Pair, Recipe, Simulated


@dataclass(frozen=True)
class Sample:
    """One volume or stack, ready for patches.

    Attributes
    ----------
    image : ndarray
        Normalised float32, ``(Z, Y, X)``; a 2-D image has one plane.
    target : ndarray or Boxes
        Class of each pixel, int16 ``(Z, Y, X)``, -1 where it is not known; or boxes, whose ``z`` is the plane.
    group, use : str
        As in the recipe.
    """

    image: npt.NDArray[np.float32]
    target: npt.NDArray[np.int16] | Boxes
    group: str
    use: str

    @property
    def boxes(self) -> Boxes:
        """The target, where it is boxes."""
        if not isinstance(self.target, Boxes):
            raise TypeError("the truth of this sample is labels, not boxes")
        return self.target

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        """The target, where it is labels."""
        if isinstance(self.target, Boxes):
            raise TypeError("the truth of this sample is boxes, not labels")
        return self.target


def load_samples(recipe: Recipe, uses: tuple[str, ...]) -> list[Sample]:
    """Load the pairs, and make the volumes, whose use is among `uses`.

    Raises
    ------
    IncompatibleImageError
        An image and its labels have different shapes.
    RecipeError
        No pair is left, or a generator does not exist.
    """
    samples = [_load_pair(recipe, pair) for pair in recipe.pairs if pair.use in uses]
    samples += [s for spec in recipe.simulated if spec.use in uses for s in simulate_samples(recipe, spec)]
    if not samples:
        raise RecipeError(recipe.name, f"has no pair for {'/'.join(uses)}", "Mark some pairs with this use")
    return samples


def data_root(recipe: Recipe) -> Path:
    """Return the folder of the data: the recipe's, unless that is the default and ``BIOSEG_DATA`` is set."""
    default = Recipe.model_fields["root"].default
    return Path(os.environ.get("BIOSEG_DATA", recipe.root) if recipe.root == default else recipe.root)


def open_pair(recipe: Recipe, pair: Pair) -> tuple[Image, Image]:
    """Open an image and its labels lazily.

    Raises
    ------
    IncompatibleImageError
        They have different shapes, or are neither YX nor ZYX.
    RecipeError
        The planes do not lie in the image.
    """
    image, label = (open_image(data_root(recipe) / p, axes=pair.axes) for p in (pair.image, pair.label))
    if image.shape != label.shape:
        problem = f"has shape {image.shape}, its labels {label.shape}"
        raise IncompatibleImageError(pair.image, problem, "Pair each image with labels of the same shape")
    if len(image.shape) not in (2, 3):
        raise IncompatibleImageError(pair.image, f"has axes {image.axes}", "Training takes YX and ZYX images")
    depth = (1, *image.shape)[-3]
    if pair.planes is not None and not 0 <= pair.planes[0] < pair.planes[1] <= depth:
        raise RecipeError(f"planes {list(pair.planes)}", f"do not lie in the {depth} of {pair.image}", "Count from 0")
    return image, label


def pair_target(recipe: Recipe, pair: Pair, label: Image) -> npt.NDArray[np.int16]:
    """Return the classes ``(Z, Y, X)`` of the planes of a pair; -1 where they are not known.

    Raises
    ------
    RecipeError
        The labels hold a value that is no class.
    """
    return map_labels(_stack(label, pair), recipe.label_values, len(recipe.classes), pair.label)


def _load_pair(recipe: Recipe, pair: Pair) -> Sample:
    image, label = open_pair(recipe, pair)
    grey, target = _stack(image, pair), pair_target(recipe, pair, label)
    sizes = dict(zip(image.spatial_axes, image.pixel_size(), strict=True))
    return prepare(grey, target, sizes, recipe.input, group=pair.group, use=pair.use)


def prepare(
    grey: npt.NDArray[Any],
    target: npt.NDArray[Any] | Boxes,
    pixel_size: dict[str, float | None],
    spec: InputSpec,
    *,
    group: str,
    use: str,
) -> Sample:
    """Normalise ``(Z, Y, X)`` grey values, and bring image and labels to the pixel size that `spec` asks for."""
    if spec.normalisation.scope == "volume":
        image = apply_normalisation(grey, *spec.normalisation.fit(grey))
    else:
        image = np.stack([apply_normalisation(plane, *spec.normalisation.fit(plane)) for plane in grey])
    if isinstance(target, Boxes):
        return Sample(image, target, group, use)
    factors, _ = model_pixels(spec, pixel_size)
    zoom = [1.0] * (3 - len(factors)) + [1 / f for f in factors]
    if any(z != 1 for z in zoom):
        image, target = _resize(image, zoom), _resize_target(target, zoom)
    return Sample(image, target, group, use)


def _resize(image: npt.NDArray[np.float32], zoom: list[float]) -> npt.NDArray[np.float32]:
    # A blur before shrinking, as the engine does it; grid_mode keeps pixel edges, not centres, in place.
    sigma = [max(0.0, (1 / z - 1) / 2) for z in zoom]
    smooth = ndimage.gaussian_filter(image, sigma, mode="mirror")
    return np.asarray(ndimage.zoom(smooth, zoom, order=1, mode="mirror", grid_mode=True), dtype=np.float32)


def _resize_target(target: npt.NDArray[np.int16], zoom: list[float]) -> npt.NDArray[np.int16]:
    # Each class is resized by itself and the strongest wins: nearest neighbour would leave jagged edges.
    values = np.unique(target)
    votes = [_resize((target == v).astype(np.float32), zoom) for v in values]
    return np.asarray(values[np.argmax(votes, axis=0)], dtype=np.int16)


def _stack(image: Image, pair: Pair) -> npt.NDArray[Any]:
    data = image.data if image.data.ndim == 3 else image.data[None]
    return np.asarray(data if pair.planes is None else data[slice(*pair.planes)])


def simulate_samples(recipe: Recipe, spec: Simulated) -> list[Sample]:
    """Make the images of one entry of a recipe, ready for patches.

    Raises
    ------
    RecipeError
        No such generator, or it does not take these arguments.
    """
    # Made at the model's own pixel size, so nothing is resized.
    return [
        prepare(grey, truth, {}, recipe.input, group=spec.group, use=spec.use) for grey, truth in simulate_pairs(spec)
    ]


def simulate_pairs(spec: Simulated) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int16] | Boxes]]:
    """Yield grey values ``(Z, Y, X)`` and the truth of each image of one entry of a recipe.

    Raises
    ------
    RecipeError
        No such generator, or it does not take these arguments.
    """
    generator = getattr(simulate, spec.generator, None)
    if spec.generator not in simulate.__all__ or generator is None:
        raise RecipeError(
            f"generator {spec.generator!r}", "does not exist", f"Choose one of: {', '.join(simulate.__all__)}"
        )
    for i in range(spec.count):
        try:
            image, truth = generator(seed=spec.seed + i, **spec.arguments)
        except (TypeError, ValueError) as error:
            problem = f"cannot run ({error})"
            raise RecipeError(f"generator {spec.generator!r}", problem, "Check its arguments") from error
        yield image, truth if isinstance(truth, Boxes) else (truth > 0).astype(np.int16)
