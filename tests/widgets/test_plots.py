"""What the plots of all panels have in common."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.gui


def test_the_menus_of_a_plot_are_not_seen_and_go_with_it(qtbot):
    from qtpy.QtWidgets import QApplication, QMenu

    from napari_bioseg.widgets.plots import new_plot

    before = set(QApplication.topLevelWidgets())
    plot = new_plot(80)
    with qtbot.waitExposed(plot):
        plot.show()
    menus = plot.findChildren(QMenu)
    assert menus
    assert not any(menu.isVisible() for menu in menus)
    gone = []
    plot.destroyed.connect(lambda *_: gone.append(True))  # PySide6 gives no object
    plot.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))
    assert set(QApplication.topLevelWidgets()) <= before
