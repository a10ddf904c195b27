from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.io import list_series, open_image, raster

RNG = np.random.default_rng(2)


def pixels(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    return RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((30, 40), "YX"), ((30, 40, 3), "YXS"), ((30, 40, 4), "YXS"), ((30, 40, 2), "CYX")]
)
def test_png(tmp_path: Path, shape: tuple[int, ...], axes: str, dtype: str) -> None:
    image = pixels(shape, dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    opened = open_image(tmp_path / "a.png")
    wanted = image.transpose(2, 0, 1) if axes == "CYX" else image
    assert (opened.axes, opened.dtype) == (axes, np.dtype(dtype))
    np.testing.assert_array_equal(opened.data.compute(), wanted)
    assert list_series(tmp_path / "a.png")[0].shape == wanted.shape


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
def test_jpeg(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = imagecodecs.jpeg_encode(pixels(shape, "uint8"), level=95)
    (tmp_path / "a.jpg").write_bytes(data)
    opened = open_image(tmp_path / "a.jpg")
    assert opened.axes == "YXS"[: len(shape)]
    np.testing.assert_array_equal(opened.data.compute(), imagecodecs.jpeg_decode(data))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_truncated_file_is_refused(tmp_path: Path, ending: str) -> None:
    image = pixels((90, 80), "uint8")
    data = imagecodecs.png_encode(image) if ending == "png" else imagecodecs.jpeg_encode(image)
    (tmp_path / f"a.{ending}").write_bytes(data[: int(len(data) * 0.8)])
    with pytest.raises(UnreadableFileError, match="is truncated: its end mark is missing"):
        open_image(tmp_path / f"a.{ending}")


def test_headers_tell_shape_and_type() -> None:
    png = imagecodecs.png_encode(pixels((30, 40, 3), "uint16"))
    assert raster.header(png) == (30, 40, 16, 2)
    assert raster.header(imagecodecs.jpeg_encode(pixels((30, 40), "uint8")))[:2] == (30, 40)
    assert raster.header(b"\xff\xd8\xff\xd9") == ()
