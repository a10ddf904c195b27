from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_bioseg.core.errors import DeviceError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models.devices import has_bfloat16
from napari_bioseg.models.network import Network

openvino_missing = pytest.mark.skipif(
    not __import__("importlib.util").util.find_spec("openvino"), reason="OpenVINO is not installed"
)


class Greedy(Network):
    """A network whose memory is used up above a number of pixels."""

    def __init__(self, inner: Network, most: int, error: type[BaseException] = torch.OutOfMemoryError) -> None:
        super().__init__()
        self.inner, self.most, self.error = inner, most, error

    @property
    def stride(self) -> tuple[int, ...]:
        return self.inner.stride

    @property
    def halo(self) -> tuple[int, ...]:
        return self.inner.halo

    def forward(self, x: Tensor) -> Tensor:
        if x[0, 0].numel() > self.most:
            raise self.error("out of memory: tried to allocate more")
        return self.inner(x)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_leads_to_smaller_tiles(make_model: Any, error: type[BaseException]) -> None:
    model, image = make_model(), image_from_array(noise(150, 170), "YX")
    greedy = make_model(network=Greedy(model.network, 90 * 90, error))
    job = Job()
    p = predict(image, greedy, PredictOptions(workers=2, backend="torch"), job=job)
    np.testing.assert_allclose(np.asarray(p.probabilities), np.asarray(predict(image, model).probabilities), atol=1e-3)
    assert p.done
    assert p.provenance["notes"] == job.notes
    assert [n for n in job.notes if "used up by tiles of 170 pixels: went on with 85" in n]


def test_out_of_memory_also_cuts_along_z(make_model: Any, anisotropic: dict[str, Any]) -> None:
    model, image = make_model(**anisotropic), image_from_array(noise(70, 20, 20), "ZYX")
    greedy = make_model(3, network=Greedy(model.network, 70 * 32 * 32))
    p = predict(image, greedy, PredictOptions(backend="torch"), job=Job())
    np.testing.assert_allclose(np.asarray(p.probabilities), np.asarray(predict(image, model).probabilities), atol=1e-3)


def test_memory_that_never_suffices_is_an_error(make_model: Any) -> None:
    greedy = make_model(network=Greedy(make_model().network, 16))
    with pytest.raises(DeviceError, match="memory is used up even by tiles"):
        predict(image_from_array(noise(64, 64), "YX"), greedy, PredictOptions(backend="torch"))


def test_another_error_of_the_network_is_not_hidden(make_model: Any) -> None:
    class Broken(Greedy):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predict(image_from_array(noise(64, 64), "YX"), make_model(network=Broken(make_model().network, 1)))


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_refused(make_model: Any, device: str) -> None:
    here = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
    if here:
        pytest.skip(f"{device} is here")
    with pytest.raises(DeviceError, match="not available"):
        predict(image_from_array(noise(20, 20), "YX"), make_model(), PredictOptions(device=device))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same(make_model: Any) -> None:
    model, image = make_model(widths=(8, 16, 32)), image_from_array(noise(2, 150, 170), "ZYX")
    cpu, gpu = (predict(image, model, PredictOptions(device=d, tile=64)) for d in ("cpu", "cuda"))
    assert gpu.provenance["engine"] == "torch on cuda"
    np.testing.assert_allclose(np.asarray(gpu.probabilities), np.asarray(cpu.probabilities), atol=1e-3)


@pytest.mark.skipif(not has_bfloat16("cpu"), reason="bfloat16 is slow here")
def test_bfloat16_is_close(make_model: Any) -> None:
    model, image = make_model(), image_from_array(noise(60, 70), "YX")
    exact, rounded = (
        np.asarray(predict(image, model, PredictOptions(precision=p, backend="torch")).probabilities, np.float32)
        for p in ("float32", "bfloat16")
    )
    assert 0 < abs(exact - rounded).max() < 0.1


def test_slow_bfloat16_is_not_used(make_model: Any) -> None:
    if has_bfloat16("cpu"):
        pytest.skip("bfloat16 is fast here")
    job = Job()
    predict(image_from_array(noise(20, 20), "YX"), make_model(), PredictOptions(precision="bfloat16"), job=job)
    assert any("bfloat16 is slow" in note for note in job.notes)


@openvino_missing
@pytest.mark.parametrize("dims", [2, 3])
def test_openvino_gives_the_same(make_model: Any, anisotropic: dict[str, Any], dims: int) -> None:
    model = make_model() if dims == 2 else make_model(**anisotropic)
    image = image_from_array(noise(6, 50, 40), "ZYX")
    torch_, openvino = (
        predict(image, model, PredictOptions(backend=b, tile=24, workers=2)) for b in ("torch", "openvino")
    )
    assert openvino.provenance["engine"] == "openvino on cpu"
    np.testing.assert_allclose(np.asarray(openvino.probabilities), np.asarray(torch_.probabilities), atol=1e-3)


@openvino_missing
def test_what_openvino_cannot_run_torch_does(make_model: Any) -> None:
    class Stubborn(Greedy):
        """Cannot be traced: what it does depends on values."""

        def forward(self, x: Tensor) -> Tensor:
            if torch.jit.is_tracing():
                raise RuntimeError("cannot be traced")
            return self.inner(x)

    model, job, image = make_model(), Job(), image_from_array(noise(30, 30), "YX")
    p = predict(image, make_model(network=Stubborn(model.network, 1)), PredictOptions(backend="openvino"), job=job)
    assert p.provenance["engine"] == "torch on cpu"
    assert any("OpenVINO" in note and "went on with torch" in note for note in job.notes)
    np.testing.assert_allclose(np.asarray(p.probabilities), np.asarray(predict(image, model).probabilities), atol=1e-3)


@openvino_missing
def test_small_images_do_not_wait_for_openvino(make_model: Any) -> None:
    assert predict(image_from_array(noise(30, 30), "YX"), make_model()).provenance["engine"] == "torch on cpu"
