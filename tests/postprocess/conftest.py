"""Predictions made of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from napari_bioseg.core.prediction import ClassInfo, Prediction

MakePrediction = Callable[..., Prediction]


@pytest.fixture(scope="session")
def make_prediction() -> MakePrediction:
    def make(
        probabilities: npt.NDArray[Any],
        axes: str = "ZYX",
        *,
        chunks: Sequence[int] | None = None,
        model_axes: str = "ZYX",
        activation: str = "sigmoid",
        values: Sequence[int] | None = None,
        **more: Any,
    ) -> Prediction:
        p = probabilities.astype(np.float16)
        n = len(p) - (activation == "softmax")
        return Prediction(
            probabilities=zarr.array(p, chunks=(1, *(chunks or p.shape[1:]))),
            axes=axes,
            scale=more.pop("scale", (1.0,) * len(axes)),
            translate=(0.0,) * len(axes),
            units=(None,) * len(axes),
            classes=tuple(ClassInfo(value=v, name=str(v)) for v in (values or range(1, n + 1))),
            activation=activation,
            model_axes=model_axes,
            **more,
        )

    return make
