"""The summary of a batch: a table, and a page that stands alone."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pyarrow import parquet

from napari_bioseg.core import UnwritableFileError
from napari_bioseg.workflows import report_page
from napari_bioseg.workflows.batch_report import ImageRow, write_report

EVIL = '<script>alert("1")</script> & <img src="https://evil.example/x.png">'
DONE = ImageRow("cells/a", "/data/a.tif", "done", "", 1234, 0.25, 8.0, 6.0, 2_000_000)
FAILED = ImageRow("broken", "/data/b.tif", "failed", "/data/b.tif: is cut off. Copy it again")
LEFT = ImageRow("last", "/data/c.tif", "skipped", "not reached yet")
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Checks that what is opened is closed, and gathers what a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def report(folder: Path, *rows: ImageRow, **changes: object) -> Page:
    values = {"title": "cells on 3 images", "command": "bioseg batch", "provenance": {"model": "cells"}, **changes}
    paths = write_report(folder, rows, **values)
    assert [p.name for p in paths] == ["summary.csv", "summary.parquet", "report.html"]
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_summary_has_a_row_an_image(tmp_path: Path) -> None:
    report(tmp_path, replace(DONE, drift=1.5, warning="noise 2x"), FAILED, replace(LEFT, pixels=10))
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert rows[0] == {
        "name": "cells/a", "source": "/data/a.tif", "state": "done", "why": "", "objects": "1234", "fraction": "0.25",
        "seconds": "8", "network_seconds": "6", "pixels": "2000000", "pixels_per_second": "250000",
        "drift": "1.5", "warning": "noise 2x",
    }  # fmt: skip
    assert [rows[1][n] for n in ("state", "why", "objects", "seconds")] == ["failed", FAILED.why, "", ""]
    packed = parquet.read_table(tmp_path / "summary.parquet").to_pydict()
    assert packed["objects"] == [1234, None, None]
    assert packed["pixels_per_second"] == [250_000.0, None, None]


def test_the_page_says_what_became_of_each_image_failed_ones_first(tmp_path: Path) -> None:
    words = report(tmp_path, DONE, LEFT, FAILED, seconds=75).words
    assert "1 failed, 1 done, 1 not done" in words
    places = [words.index(text) for text in (FAILED.why, "cells/a", "not reached yet", "bioseg batch")]
    assert places == sorted(places)
    for fact in ("1,234 objects", "25.0 % in objects", "2 million pixels", "250,000 pixels/s", "1 min 15 s"):
        assert fact in words


def test_what_all_images_come_to_is_said_as_far_as_it_is_known(tmp_path: Path) -> None:
    other = replace(DONE, objects=0, fraction=1.0, pixels=6_000_000)
    figures = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", _html(tmp_path, DONE, other, replace(FAILED, pixels=7))))
    assert figures == {
        "objects": "1,234", "of the pixels in objects": "81.2 %", "pixels": "8 million", "spent on images": "16 s",
        "in the network": "12 s", "pixels a second": "500,000",
    }  # fmt: skip
    assert "<dt>objects</dt><dd>0</dd>" in _html(tmp_path, replace(DONE, objects=0))
    assert "<dl" not in _html(tmp_path, FAILED)


def _html(folder: Path, *rows: ImageRow) -> str:
    report(folder, *rows)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_pictures_are_in_the_page(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"any bytes")
    gone = replace(DONE, name="b", thumbnail=tmp_path / "gone.png")
    page = report(tmp_path, replace(DONE, thumbnail=picture), gone)
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert image["src"] == "data:image/png;base64," + base64.b64encode(b"any bytes").decode()
    assert image["alt"] == "cells/a: the image, and what was found in it"


def test_a_page_of_very_many_pictures_links_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "PICTURES", 5)
    (tmp_path / "run").mkdir()
    rows = []
    for i in range(3):
        picture = tmp_path / "run" / f"ö #{i}.png"
        picture.write_bytes(b"png")
        rows.append(replace(DONE, thumbnail=picture))
    page = report(tmp_path, *rows)
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["run/%C3%B6%20%231.png", "run/%C3%B6%20%232.png"]


def test_nothing_in_a_name_reaches_the_page_as_markup(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    row = replace(DONE, name=EVIL, source=EVIL, thumbnail=picture)
    changes = {"title": EVIL, "command": EVIL, "provenance": {EVIL: EVIL, "options": {"a": [EVIL]}}}
    page = report(tmp_path, row, replace(FAILED, name=EVIL, why=EVIL), **changes)
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "link", "object"} == set()
    assert [a["src"] for tag, a in page.tags if tag == "img"] == ["data:image/png;base64,cG5n"]
    assert page.words.count(EVIL) == 9
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    style = (tmp_path / "report.html").read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_a_batch_of_nothing_and_a_missing_folder(tmp_path: Path) -> None:
    assert "no images" in report(tmp_path).words
    with pytest.raises(UnwritableFileError, match="does not exist"):
        report(tmp_path / "no", DONE)
