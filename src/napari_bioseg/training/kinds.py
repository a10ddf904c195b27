"""What a recipe for classification learns from: whole images, each of one kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.io import open_image
from napari_bioseg.training.open_pairs import data_root
from napari_bioseg.training.recipe import Pair, Recipe, Simulated


def with_files(recipe: Recipe) -> Recipe:
    """Return a recipe that names each image by itself.

    Raises
    ------
    RecipeError
        A name, or a pattern of names, stands for no file.
    """
    pairs = [
        pair.model_copy(update={"image": name, "images": ()}) if pair.images else pair
        for pair in recipe.pairs
        for name in (files_of(recipe, pair) if pair.images else (pair.image,))
    ]
    return recipe.model_copy(update={"pairs": tuple(pairs)})


def files_of(recipe: Recipe, pair: Pair) -> tuple[str, ...]:
    """Return the image files of a pair, relative to the root of the data.

    Raises
    ------
    RecipeError
        As for `with_files`.
    """
    root, names = data_root(recipe), [pair.image] if pair.image else []
    for pattern in pair.images:
        found = sorted(path.relative_to(root).as_posix() for path in _matching(root, pattern))
        if not found:
            raise RecipeError(pattern, f"stands for no file in {root}", "Mend the name, or set BIOSEG_DATA")
        names += found
    return tuple(names)


def _matching(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except (NotImplementedError, ValueError) as error:
        raise RecipeError(pattern, "is no name below the root of the data", "Write it relative to root") from error


def kind_of(recipe: Recipe, part: Pair | Simulated) -> int:
    """Return the value of the class that images are of.

    Raises
    ------
    RecipeError
        None is said, or the recipe has no such class.
    """
    values = {c.name: i for i, c in enumerate(recipe.classes, start=1)}
    if part.kind not in values:
        name = part.name if isinstance(part, Pair) else f"generator {part.generator!r}"
        problem = f"is of kind {part.kind!r}, which is no class" if part.kind else "does not say its kind"
        raise RecipeError(name, problem, f"Give kind: one of {', '.join(values)}")
    return values[str(part.kind)]


def kind_target(recipe: Recipe, part: Pair | Simulated, shape: tuple[int, ...]) -> npt.NDArray[np.int16]:
    """Return the kind at every pixel of planes; it takes no memory."""
    return np.broadcast_to(np.int16(kind_of(recipe, part)), shape)


def open_kind(recipe: Recipe, pair: Pair) -> Image:
    """Open an image of a known kind lazily: the first channel, or the luminance of colours, and of these its planes.

    Returns
    -------
    Image
        ZYX: the planes of all other axes one after the other.

    Raises
    ------
    RecipeError
        Its kind is no class, or the planes do not lie in it.
    UnreadableFileError, UnknownAxesError
        The file is not as it should be.
    """
    kind_of(recipe, pair)
    if pair.project:
        problem = "is a project, which does not say what kind its image is"
        raise RecipeError(pair.name, problem, "Give image: FILE and its kind instead")
    image = open_image(data_root(recipe) / pair.image, axes=pair.axes)
    data, _, _ = grey_values(image, 0)
    data = data.reshape(-1, *data.shape[-2:])  # type: ignore[no-untyped-call]
    if pair.planes is not None and not 0 <= pair.planes[0] < pair.planes[1] <= len(data):
        raise RecipeError(
            f"planes {list(pair.planes)}", f"do not lie in the {len(data)} of {pair.image}", "Count from 0"
        )
    return image_from_array(data[slice(*(pair.planes or (None,)))], "ZYX", name=image.name)


def kind_planes(recipe: Recipe, pair: Pair) -> npt.NDArray[np.generic]:
    """Return the planes ``(Z, Y, X)`` of an image of a known kind. Errors: `open_kind`."""
    return np.asarray(open_kind(recipe, pair).data)
