"""Write `docs/zoo.md` from the cards of the shipped models, and draw a good and a bad case of each.

Pictures and what was measured on the way (`docs/zoo.json`) are made of the models that are named, or of all; they need
the data (`BIOSEG_DATA`) and the dependency group "benchmarks". The page itself comes from cards and `zoo.json` alone::

    python scripts/make_zoo.py [NAME ...]
    python scripts/make_zoo.py --page         the page alone, after a change of words on a card
    python scripts/make_zoo.py --check        nothing is written; 1 where page or pictures are not those of the cards
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from napari_bioseg.metrics.paired import TITLES
from napari_bioseg.models.card import CARD_FILE, WEIGHTS_FILE, Card, read_card
from napari_bioseg.workflows.readme import evaluate_command

ROOT = Path(__file__).resolve().parent.parent
MODELS, PAGE, FACTS = ROOT / "models", ROOT / "docs" / "zoo.md", ROOT / "docs" / "zoo.json"
LARGEST = 250_000

HEAD = """# The zoo

What each shipped model is for, how good it is, and where it fails. This page is written from the cards by
`python scripts/make_zoo.py`, and a test holds it to them; [Shipped models](models.md) says how they were made and what
was tried, `bioseg models NAME` and the README in the model's folder have all scores.

Scores are of images that the scored network was not trained on; in brackets 95 % over the n images, slices or frames,
where these are enough. The pictures show the best and the worst of parts of 256 x 256 pixels (of detectors 96 x 96) of
a few planes of each image. Speed is in seconds of one core, a megapixel, while the pictures were made.
"""


def main() -> int:
    """Make what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="whose pictures to make; none: all")
    parser.add_argument("--page", action="store_true", help="the page alone")
    parser.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    given = parser.parse_args()
    cards = {path.parent.name: read_card(path.parent) for path in sorted(MODELS.glob(f"*/{CARD_FILE}"))}
    if given.check:
        problems = out_of_date(cards, known_facts())
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        return 1 if problems else 0
    for name in () if given.page else given.names or cards:
        made = measured(cards[name])
        keep({**known_facts(), name: made}, cards)
    keep(known_facts(), cards)
    return 0


def keep(facts: dict[str, Any], cards: dict[str, Card]) -> None:
    """Write what was measured, and the page; after each model, so that several runs of this script may go at once."""
    facts = {name: facts[name] for name in cards if name in facts}
    FACTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(cards, facts), encoding="utf-8")


def known_facts() -> dict[str, Any]:
    """Return what was measured when pictures were made, by model."""
    facts: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8")) if FACTS.is_file() else {}
    return facts


def measured(card: Card) -> dict[str, Any]:
    """Draw the picture of a model, and return what the page says that the card does not."""
    # Threads that wait must not count as work; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from zoo_cases import CASES
    from zoo_pictures import draw

    from napari_bioseg.models.model import read_model

    network = read_model(MODELS / card.name).network
    facts: dict[str, Any] = {"sha256": card.sha256, "parameters": sum(p.numel() for p in network.parameters())}
    if card.task not in CASES:
        sys.stderr.write(f"{card.name}: no picture, since scripts/zoo_cases.py knows no cases of {card.task}\n")
        return facts
    cases = CASES[card.task](card)
    draw(cases, card, picture(card.name))
    scores = {name: f"{TITLES.get(cases.metric, cases.metric)} {case.score:.2f}" for name, case in cases.shown.items()}
    return {**facts, "seconds": round(cases.rate, 1), "note": cases.note, "cases": scores}


def picture(name: str) -> Path:
    """Return where the picture of a model is."""
    return ROOT / "docs" / "images" / f"zoo-{name}.jpg"


def out_of_date(cards: dict[str, Card], facts: dict[str, Any]) -> list[str]:
    """Return what must be made again, a line each."""
    stale = [name for name, card in cards.items() if facts.get(name, {}).get("sha256") != card.sha256]
    problems = [f"{name}: its picture is of other weights: python scripts/make_zoo.py {name}" for name in stale]
    shown = [picture(name) for name in cards if "cases" in facts.get(name, {})]
    problems += [f"{path} is missing" for path in shown if not path.is_file()]
    problems += [f"{path} is too large" for path in shown if path.is_file() and path.stat().st_size > LARGEST]
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page(cards, facts):
        problems.append(f"{PAGE} is not that of the cards: python scripts/make_zoo.py --page")
    return problems


def page(cards: dict[str, Card], facts: dict[str, Any]) -> str:
    """Return the text of the page."""
    rows = [f"| [{name}](#{name}) | {card.summary} | {card.score_line} |" for name, card in cards.items()]
    table = "\n".join(["| model | for | scores |", "|---|---|---|", *rows])
    return "\n".join([HEAD, table, "", *(section(card, facts.get(name, {})) for name, card in cards.items())])


def section(card: Card, fact: dict[str, Any]) -> str:
    """Return what the page says of one model."""
    sizes = ", ".join(f"{axis} {card.input.sizes(axis)} µm" for axis in card.input.pixel_size) or "any pixel size"
    megabytes = (MODELS / card.name / WEIGHTS_FILE).stat().st_size / 1e6
    network = f"{card.architecture.name}, {fact.get('parameters', 0) / 1e6:.2f} million parameters, {megabytes:.1f} MB"
    lines = {
        "For": card.summary,
        "Not for": card.not_for,
        "Finds": ", ".join(c.name for c in card.classes),
        "Takes": f"{card.input.axes}, {sizes}",
        "Network": network,
        "Speed": _speed(card, fact),
        "Data": card.data,
        "Licence": card.licence,
        "Split": card.split,
        "Scores": "<br>".join(_scores(card)),
        "Score it again": _command(card),
    }
    rows = "".join(f"| {title} | {text} |\n" for title, text in lines.items() if text)
    return f"## {card.name}\n\n{card.title}.\n\n| | |\n|---|---|\n{rows}\n{_shown(card, fact)}"


def _speed(card: Card, fact: dict[str, Any]) -> str:
    if "seconds" not in fact:
        return ""
    alone = " of a plane alone, which costs its neighbours too; less in a volume" if card.input.axes == "ZYX" else ""
    return f"{fact['seconds']:g} s a megapixel{alone}"


def _scores(card: Card) -> list[str]:
    """Return a line for each set of images, with the first score of each metric: the mean where there are several."""
    first = list({score.metric: score for score in reversed(card.scores)}.values())[::-1]
    lines: dict[str, list[str]] = {}
    for score in first:
        span = "" if score.low is None else f" ({score.low:.2f} to {score.high:.2f})"
        lines.setdefault(f"{score.on}, n = {score.n}", []).append(f"{_title(score.metric)} {score.value:.3f}{span}")
    return [f"{where}: {', '.join(scores)}" for where, scores in lines.items()]


def _title(metric: str) -> str:
    """Return how a metric is written; that of a single class says which."""
    of_class = (f"{title} of {metric[len(key) + 1 :]}" for key, title in TITLES.items() if metric.startswith(f"{key}_"))
    return TITLES.get(metric) or next(of_class, metric)


def _command(card: Card) -> str:
    command = evaluate_command(card)
    fold = "not with the shipped weights: the scores are of networks that its recipe trains first"
    return f"`{command}`" if command else fold


def _shown(card: Card, fact: dict[str, Any]) -> str:
    if "cases" not in fact:
        return "There is no picture of it.\n"
    scores = "; ".join(f"{name}: {score}" for name, score in fact["cases"].items())
    shown = f"![Image, truth and prediction of a good and of a bad case](images/{picture(card.name).name})"
    return f"{shown}\n\n{fact['note']} {scores[:1].upper()}{scores[1:]}.\n"


if __name__ == "__main__":
    sys.exit(main())
