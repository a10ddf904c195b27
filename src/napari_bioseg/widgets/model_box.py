"""Which model: what each is for, its licence and scores, and why it cannot take this image."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_bioseg.core.image import Image
from napari_bioseg.models import Card, refusal
from napari_bioseg.models.pixel_size import pixel_distance
from napari_bioseg.plugin.facts import describe_card, describe_card_briefly, describe_resampling


class ModelBox(QWidget):
    """Combo of the zoo's models, and the card of the chosen one in a few lines.

    Parameters
    ----------
    task : str or None
        What the model is wanted for, as `refusal` names it; None: whatever it is for.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None, *, task: str | None = "semantic") -> None:
        super().__init__(parent)
        self._task = task
        self._cards: tuple[Card, ...] = ()
        self._none = "Looking for models…"
        self._image: Image | None = None
        self._resample = True
        self._preferred: str | None = None
        self._by_hand = False  # whether that is what the user chose just now
        self._kind = ""
        self.combo = QComboBox()
        self.combo.setAccessibleName("Model")
        self.combo.setToolTip("Model to use; greyed ones cannot take this image")
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(16)
        self.card_text = QLabel(self._none)
        self.size_text = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo)
        for label in (self.card_text, self.size_text):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        self.combo.currentIndexChanged.connect(self._chosen)
        self.combo.activated.connect(self._picked)

    def card(self) -> Card | None:
        """Return the card of the chosen model; None when there is none that takes this image."""
        i = self.combo.currentIndex()
        if not 0 <= i < len(self._cards) or self._refusal(self._cards[i]) is not None:
            return None
        return self._cards[i]

    def prefer(self, name: str | None) -> None:
        """Choose the model of this name, now or once it is known."""
        self._preferred = name
        self._choose()

    def choose(self, name: str) -> None:
        """Choose the model of this name as if by the user's hand."""
        self._by_hand = True
        self.prefer(name)

    def made_for(self, kind: str) -> str | None:
        """Return the model that is made for a kind of image, takes this one, and is nearest to it; None if none is."""
        fitting = [card for card in self._usable() if card.kind == kind]
        return min(fitting, key=self._strangeness).name if fitting else None

    def set_kind(self, kind: str) -> None:
        """Propose a model that is made for this kind of image, unless the user chose one by hand; empty: not known."""
        if kind != self._kind:
            self._kind = kind
            self._choose()

    def set_models(self, cards: tuple[Card, ...]) -> None:
        """Show the models of the zoo, but for those that only tell kinds of images."""
        self._cards = tuple(card for card in cards if card.task != "classification")
        self._none = "No model is in the zoo."
        self._refill()

    def set_image(self, image: Image | None) -> None:
        """Show which models can take an image."""
        self._image = image
        self._refill()

    def set_resample(self, resample: bool) -> None:
        """Say whether an image of another pixel size is resampled."""
        self._resample = resample
        self._describe()

    def _refusal(self, card: Card) -> str | None:
        return None if self._image is None else refusal(card, self._image, task=self._task or card.task)

    def _refill(self) -> None:
        current = self.combo.currentText() and self._cards and self.combo.currentData()
        blocker = QSignalBlocker(self.combo)
        self.combo.clear()
        items = self.combo.model()
        for i, card in enumerate(self._cards):
            reason = self._refusal(card)
            self.combo.addItem(card.name if reason is None else f"{card.name} ({reason})", card.name)
            tip = describe_card(card) if reason is None else f"{card.name} {reason}.<br>{describe_card(card)}"
            self.combo.setItemData(i, tip, Qt.ItemDataRole.ToolTipRole)
            if isinstance(items, QStandardItemModel):
                items.item(i).setEnabled(reason is None)
        self._preferred = self._preferred or current or None
        self._choose()
        blocker.unblock()
        self._chosen()

    def _usable(self) -> list[Card]:
        return [card for card in self._cards if self._refusal(card) is None]

    def _choose(self) -> None:
        usable = {c.name: c for c in self._usable()}
        nearest = min(usable, key=lambda name: self._strangeness(usable[name]), default=None)
        name = self._preferred if self._preferred in usable else nearest
        if self._kind and not self._by_hand and name and usable[name].kind not in {"", self._kind}:
            name = self.made_for(self._kind) or name
        self.combo.setCurrentIndex(self.combo.findData(name) if name else min(0, len(self._cards) - 1))

    def _strangeness(self, card: Card) -> tuple[bool, float, int, bool]:
        """Return what is least for the model to propose: another kind, far pixels, many classes, several networks."""
        image = self._image
        sizes = {} if image is None else dict(zip(image.spatial_axes, image.pixel_size(), strict=True))
        other = bool(self._kind) and card.kind != self._kind
        return other, pixel_distance(card.input, sizes), len(card.classes), card.architecture.name == "ensemble"

    def _picked(self) -> None:
        # By the user's hand: this choice outlives an image that the model cannot take.
        self._preferred, self._by_hand = self.combo.currentData(), True

    def _chosen(self) -> None:
        self._describe()
        self.changed.emit()

    def _describe(self) -> None:
        card = self.card()
        if card is None:
            i = self.combo.currentIndex()
            reason = self._refusal(self._cards[i]) if 0 <= i < len(self._cards) else None
            self.card_text.setText(f"{self._cards[i].name} {reason}." if reason else self._none)
            self.size_text.clear()
            return
        self.card_text.setText(describe_card_briefly(card))
        self.card_text.setToolTip(describe_card(card))
        self.size_text.setText("" if self._image is None else describe_resampling(card, self._image, self._resample))
