"""How workers that are on one computer share its cores: each would take all of them, and hinder the others."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from napari_bioseg.inference.devices import at_most_cores, core_numbers, torch_threads

if TYPE_CHECKING:
    from distributed import Client


class Place(NamedTuple):
    """Where a worker is.

    Attributes
    ----------
    host : str
        A job of SLURM that has a part of a computer counts as one of its own.
    cores : tuple of int
        Numbers of those that it may use.
    wished : int
        Threads that its user wants it to take; 0: not said.
    """

    host: str
    cores: tuple[int, ...]
    wished: int


def shares(client: Client) -> dict[str, int]:
    """Return how many threads each worker may take for its network, by its address.

    Raises
    ------
    OSError
        The scheduler is gone.
    """
    # A worker that dies at this moment is left out.
    return divided(client.run(_place, on_error="ignore"))


def divided(places: Mapping[str, Place]) -> dict[str, int]:
    """Return for each worker its part of the cores that it may use, the others on its computer having as large ones.

    What its user set is kept: a worker that is bound to cores of its own (``taskset``, SLURM) has them alone.
    """
    users = Counter((place.host, core) for place in places.values() for core in place.cores)

    def part(place: Place) -> int:
        return place.wished or max(1, int(sum(1 / users[place.host, core] for core in place.cores) + 1e-9))

    return {address: part(place) for address, place in places.items()}


@contextmanager
def share_of(address: str, known: Mapping[str, int]) -> Iterator[None]:
    """Keep the network of this process to its part of the cores; one that came later takes the smallest part."""
    threads = known.get(address) or min(known.values(), default=0)
    if not threads:
        yield
        return
    with at_most_cores(threads), torch_threads(threads):
        yield


def _place() -> Place:
    # dask itself gives its workers OMP_NUM_THREADS=1: only a larger number is somebody's wish.
    set_to = os.environ.get("OMP_NUM_THREADS", "")
    wished = int(set_to) if set_to.isdigit() and int(set_to) > 1 else 0
    host, cores = socket.gethostname(), core_numbers()
    # SLURM binds a job to its cores only where it is set up to; one that is not bound has as many to itself.
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdigit() and 0 < int(granted) < len(cores):
        host, cores = f"{host}, job {os.environ.get('SLURM_JOB_ID')}", cores[: int(granted)]
    return Place(host, cores, wished)
