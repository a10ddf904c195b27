"""Where the controls of the panel "Vessel check" stand. What they do is in `vessels_panel`."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox, QLabel, QWidget

from napari_bioseg.plugin.vessel_result import COLORS
from napari_bioseg.widgets import building
from napari_bioseg.widgets.finding_table import FindingTable
from napari_bioseg.widgets.layer_combo import LayerCombo
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.workflows.vessel_check import VesselOptions, VesselReport

WORDS = {
    "values": "Vessel labels",
    "prune": "Shortest spur (radii)",
    "reach": "Longest break (radii)",
    "angle": "Largest angle (°)",
    "loop": "Longest loop (radii)",
}
NOTHING = "Not checked yet: choose labels of vessels and press Check."


class VesselsView(PanelView):
    """All controls from top to bottom, in the order in which they are used; files and progress stay in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = LayerCombo(viewer, Labels)
        self.combo.setToolTip("Labels layer with the segmented vessels; follows the layer list")
        self.combo.setAccessibleName("Labels")
        self.form = OptionsForm(VesselOptions, tuple(VesselOptions.model_fields), WORDS)
        self.form.controls["values"].inner.setPlaceholderText("all above 0")
        self.check_button = building.button("Check", "Make the skeleton graph, measure it, and list likely errors")
        self.skeleton = QCheckBox("Show the skeleton")
        self.skeleton.setToolTip("Show the centre lines of the vessels in a layer of their own")
        self.skeleton.setChecked(True)
        self.figures = QLabel(NOTHING)
        self.figures.setWordWrap(True)
        self.figures.setToolTip("Of the labels that were checked last, all frames together")
        self.legend = QLabel(" &nbsp; ".join(f'<span style="color:{c}">●</span> {kind}' for kind, c in COLORS.items()))
        self.legend.setToolTip("Colours of the rings in the layer of findings")
        self.table = FindingTable()
        self.save_button = building.button(
            "Save table…",
            "Save two CSV files: the branches as NAME.csv, and the findings beside it as NAME.findings.csv",
        )
        self.progress.cancel_button.setToolTip("Stop after the step at work; time points that are done are kept")
        self._assemble()

    def _assemble(self) -> None:
        controls: list[building.Part] = [
            building.title("Vessels"), self.combo, self.form, building.row(self.check_button, self.skeleton),
            building.title("Figures"), self.figures,
            building.title("Places to look at"), self.legend, self.table,
        ]  # fmt: skip
        self.lay_out(controls, (self.progress, self.notes, self.save_button))


def figures_of(report: VesselReport) -> str:
    """Return the figures of all frames together, as rich text."""
    graphs, unit = [frame.graph for frame in report.frames], "µm" if report.unit == "um" else "px"
    branches = [branch for graph in graphs for branch in graph.branches]
    radius = float(np.median(np.concatenate([b.radii for b in branches]))) if branches else 0.0
    ends = [end for graph in graphs for end in graph.end_points]
    lines = (
        f"<b>{sum(graph.length for graph in graphs):,.0f} {unit}</b> in {len(branches)} branches",
        f"median radius <b>{radius:.2f} {unit}</b>",
        f"<b>{sum(len(graph.branch_points) for graph in graphs)}</b> branch points",
        f"<b>{len(ends)}</b> end points, {sum(end.at_border for end in ends)} of them at the border",
        f"{sum(graph.pruned for graph in graphs)} spurs left out",
    )
    return "<br>".join(lines)
