"""Images with their labels or boxes, loaded, normalised and brought to the model's pixel size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg import simulate
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.pixel_size import model_pixels
from napari_bioseg.tasks import IGNORED, map_labels, mark_cores
from napari_bioseg.training.kinds import kind_planes, kind_target
from napari_bioseg.training.open_pairs import open_box_pair, open_one, open_pair, truth_name
from napari_bioseg.training.recipe import Pair, Recipe, Simulated
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.training_set import FrozenPair, open_frozen, open_frozen_boxes, open_unchecked


def load_samples(recipe: Recipe, uses: tuple[str, ...]) -> list[Sample]:
    """Load the pairs, and make the volumes, whose use is among `uses`.

    With frames to learn boxes from come those of their movie that nobody checked, as replayed ones, where the model is
    held to an old one.

    Raises
    ------
    IncompatibleImageError, UnreadableFileError
        As for `open_pair` and `open_box_pair`.
    RecipeError
        No pair is left, or a generator does not exist.
    """
    pairs = [pair for pair in recipe.pairs if pair.use in uses]
    samples = [_load_pair(recipe, pair) for pair in pairs]
    if recipe.held_to_old:
        samples += [_load_unchecked(recipe, pair) for pair in pairs if isinstance(pair, FrozenPair) and pair.unchecked]
    samples += [s for spec in recipe.simulated if spec.use in uses for s in simulate_samples(recipe, spec)]
    if not samples:
        raise RecipeError(recipe.name, f"has no pair for {'/'.join(uses)}", "Mark some pairs with this use")
    return samples


def pair_target(recipe: Recipe, pair: Pair, label: Image) -> npt.NDArray[np.int16]:
    """Return the classes ``(Z, Y, X)`` of the planes of a pair; -1 where they are not known.

    Where the network learns cores, these are marked.

    Raises
    ------
    RecipeError
        The labels hold a value that is no class.
    """
    values, classes = _stack(label, pair), len(recipe.classes)
    target = map_labels(values, recipe.values_of(pair), classes, truth_name(recipe, pair))
    return mark_cores(target, values, classes) if recipe.output.cores else target


def _load_pair(recipe: Recipe, pair: Pair) -> Sample:
    if recipe.task == "detection":
        return _load_box_pair(recipe, pair)
    if recipe.task == "classification":
        grey = kind_planes(recipe, pair)
        target = kind_target(recipe, pair, grey.shape)
        return prepare(grey, target, {}, recipe.input, group=pair.group, use=pair.use)
    if isinstance(pair, FrozenPair):
        return _load_frozen_pair(recipe, pair)
    if pair.use == "replay":
        return _load_replayed(recipe, pair)
    image, label = open_pair(recipe, pair)
    grey, target = _stack(image, pair), pair_target(recipe, pair, label)
    return prepare(grey, target, pixel_sizes(image), recipe.input, group=pair.group, use=pair.use)


def _load_replayed(recipe: Recipe, pair: Pair) -> Sample:
    image = open_one(recipe, pair)
    grey = _stack(image, pair)
    unknown = np.full(grey.shape, IGNORED, np.int16)
    return prepare(grey, unknown, pixel_sizes(image), recipe.input, group=pair.group, use=pair.use)


def _load_frozen_pair(recipe: Recipe, pair: FrozenPair) -> Sample:
    image, target, weight = open_frozen(recipe, pair)
    grey = _stack(image, pair)
    target, weight = target.reshape(grey.shape), weight.reshape(grey.shape)
    if recipe.output.cores:
        target = mark_cores(target, target, len(recipe.classes))
    sizes = pixel_sizes(image)
    sample = prepare(grey, target, sizes, recipe.input, group=pair.group, use=pair.use, weight=weight)
    if not sample.known:
        problem = "what is verified of it is smaller than a pixel of the model"
        raise RecipeError(pair.name, problem, "Verify more, or change input.pixel_size")
    return sample


def _load_unchecked(recipe: Recipe, pair: FrozenPair) -> Sample:
    image = open_unchecked(pair)
    return _boxes_in(recipe, pair, image, Boxes.none(), "replay")


def _load_box_pair(recipe: Recipe, pair: Pair) -> Sample:
    if pair.use == "replay":
        return _boxes_in(recipe, pair, open_one(recipe, pair), Boxes.none(), pair.use)
    image, boxes = open_frozen_boxes(pair) if isinstance(pair, FrozenPair) else open_box_pair(recipe, pair)
    return _boxes_in(recipe, pair, image, boxes, pair.use)


def _boxes_in(recipe: Recipe, pair: Pair, image: Image, boxes: Boxes, use: str) -> Sample:
    grey = _stack(image, pair)
    # Planes of a frame; frames are normalised one by one, as the engine does it.
    depth = {"ZYX": len(grey), "TZYX": len(grey) // image.shape[0]}.get(image.axes, 1)
    planes = replace(boxes, frame=np.zeros_like(boxes.z), z=boxes.frame * depth + boxes.z)
    return prepare(grey, planes, pixel_sizes(image), recipe.input, group=pair.group, use=use, depth=depth)


def pixel_sizes(image: Image) -> dict[str, float | None]:
    """Return the pixel size along each spatial axis in µm, None where it is not known."""
    return dict(zip(image.spatial_axes, image.pixel_size(), strict=True))


def prepare(
    grey: npt.NDArray[Any],
    target: npt.NDArray[Any] | Boxes,
    pixel_size: dict[str, float | None],
    spec: InputSpec,
    *,
    group: str,
    use: str,
    depth: int | None = None,
    weight: npt.NDArray[np.float32] | None = None,
) -> Sample:
    """Normalise ``(Z, Y, X)`` grey values, and bring image and truth to the pixel size that `spec` asks for.

    `depth` is how many planes are a volume; all of them when None. `weight` is as in `Sample`.
    """
    step = (depth or len(grey)) if spec.normalisation.scope == "volume" else 1
    parts = [grey[i : i + step] for i in range(0, len(grey), step)]
    image = np.concatenate([spec.normalisation.apply(part) for part in parts])
    factors, _ = model_pixels(spec, pixel_size)
    zoom = [1.0] * (3 - len(factors)) + [1 / f for f in factors]
    if any(z != 1 for z in zoom):
        small = _resize(image, zoom)
        target = _scaled(target, image, small) if isinstance(target, Boxes) else _resize_target(target, zoom)
        image = small
        # Not as the target: a pixel counts where both say that it is known.
        weight = None if weight is None else ndimage.zoom(weight, zoom, order=0, mode="nearest", grid_mode=True)
    return Sample(image, target, group, use, weight, spec.normalisation)


def _scaled(boxes: Boxes, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> Boxes:
    # Sides are whole numbers of pixels, so that the factor is not exactly the one that was asked for.
    factor = np.divide(after.shape[1:], before.shape[1:])
    return replace(boxes, centre=(boxes.centre + 0.5) * factor - 0.5, size=boxes.size * factor)


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
    """Return the planes of a pair, those of all frames one after the other."""
    data = image.data if image.data.ndim > 2 else image.data[None]
    chosen = data if pair.planes is None else data[..., slice(*pair.planes), :, :]
    return np.asarray(chosen).reshape(-1, *image.shape[-2:])


def simulate_samples(recipe: Recipe, spec: Simulated) -> list[Sample]:
    """Make the images of one entry of a recipe, ready for patches.

    Raises
    ------
    RecipeError
        No such generator, it does not take these arguments, or what it makes is not what the task learns from.
    """
    samples = []
    for grey, truth in simulate_pairs(spec):
        if recipe.task != "classification" and isinstance(truth, Boxes) != (recipe.task == "detection"):
            problem = f"does not make what {recipe.task} models learn from"
            raise RecipeError(f"generator {spec.generator!r}", problem, "Choose another, or change the task")
        target = np.full(grey.shape, IGNORED, np.int16) if spec.use == "replay" else truth
        if recipe.task == "classification":
            target = kind_target(recipe, spec, grey.shape)
        # Made at the model's own pixel size, so nothing is resampled.
        samples.append(prepare(grey, target, {}, recipe.input, group=spec.group, use=spec.use))
    return samples


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
        planes = image.reshape(-1, *image.shape[-2:])
        yield planes, truth if isinstance(truth, Boxes) else (truth > 0).astype(np.int16).reshape(planes.shape)
