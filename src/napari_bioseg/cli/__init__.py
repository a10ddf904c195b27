"""The command line: ``bioseg VERB``."""

from __future__ import annotations


def main() -> None:
    """Run ``bioseg`` and leave with its exit code."""
    from napari_bioseg.cli.app import run

    run()
