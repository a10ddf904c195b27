"""From probabilities to labels, without the network: fast enough to follow a slider."""

from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.plane import PlaneDecoder, decode_plane
from napari_bioseg.postprocess.volume import decode_volume

__all__ = ["DecodeOptions", "PlaneDecoder", "decode_plane", "decode_volume"]
