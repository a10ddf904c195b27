"""Benchmarks, run on demand: ``python -m benchmarks.tiling``, ``python -m benchmarks.decode``."""
