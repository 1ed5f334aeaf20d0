# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift report's page with a thousand clusters in a real browser, used as a person uses it."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.files import write_report
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import Report, Status
from tests.real.browser import Browser, chromium, running_browser
from tests.real.sample_fleet import HOSTILE, sample

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLUSTERS = 1000
SHOWN = "[...document.querySelectorAll('details.cluster')].filter(one => !one.hidden)"
NAMES = f"{SHOWN}.map(one => one.querySelector('.name').textContent)"
FOCUS = "document.activeElement.id || document.activeElement.value || document.activeElement.textContent"
#: Between a text and what is behind it there must be this contrast (https://www.w3.org/TR/WCAG22/#contrast-minimum).
LEAST_CONTRAST = 4.5


@pytest.fixture(scope="module")
def report() -> Report:
    return sample(CLUSTERS, hostile=True)


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(report, str(folder), ["html"])
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(chromium(), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Browser]:
    """The page, opened anew. Whatever a test does with it, nothing is complained of and nothing is loaded."""
    browser.open("about:blank")
    browser.open(f"file://{folder}/drift-report.html")
    yield browser
    assert browser.complaints() == []
    assert {url.partition("#")[0] for url in browser.requested()} == {f"file://{folder}/drift-report.html"}


def _with(report: Report, *statuses: Status) -> set[str]:
    return {cluster.name for cluster in report.clusters if any(step.status in statuses for step in cluster.steps)}


def test_the_matrix_has_every_cluster_and_the_gravest_comes_first(page: Browser, report: Report) -> None:
    names = page.evaluate(NAMES)
    assert sorted(names) == sorted(cluster.name for cluster in report.clusters)
    assert len(names) == CLUSTERS
    broken = _with(report, Status.BROKEN)
    assert set(names[: len(broken)]) == broken
    assert page.evaluate("document.getElementById('shown').textContent") == f"{CLUSTERS} of {CLUSTERS} shown"
    assert "ago)" in page.evaluate("document.querySelector('header').textContent")


def test_filters_add_up_and_the_search_narrows(page: Browser, report: Report) -> None:
    page.click("input[value=broken]")
    assert set(page.evaluate(NAMES)) == _with(report, Status.BROKEN)
    page.click("input[value=failed]")
    assert set(page.evaluate(NAMES)) == _with(report, Status.BROKEN, Status.FAILED)
    page.click("#search")
    page.type("PAYMENTS-prod")
    wanted = {name for name in _with(report, Status.BROKEN, Status.FAILED) if "payments-prod" in name}
    assert wanted
    assert set(page.evaluate(NAMES)) == wanted
    assert page.evaluate("location.hash") == "#q=payments-prod&status=broken&status=failed"


def test_a_finding_is_found_by_its_kind(page: Browser, report: Report) -> None:
    page.click("#search")
    page.type("trust_lost_audience")
    wanted = {one.name for one in report.clusters if any(drift.kind == "trust_lost_audience" for drift in one.drifts)}
    assert set(page.evaluate(NAMES)) == wanted
    assert len(wanted) > 1


def test_the_address_keeps_search_and_filters(page: Browser, folder: Path) -> None:
    page.open("about:blank")
    page.open(f"file://{folder}/drift-report.html#q=billing&status=broken")
    assert page.evaluate("document.getElementById('search').value") == "billing"
    assert page.evaluate("document.querySelector('input[value=broken]').checked") is True
    assert 0 < len(page.evaluate(NAMES)) < CLUSTERS


def test_the_keyboard_alone_is_enough(page: Browser, report: Report) -> None:
    page.press("Tab")
    assert page.evaluate(FOCUS) == "search"
    page.press("Tab", " ")
    assert page.evaluate(FOCUS) == "broken"
    assert set(page.evaluate(NAMES)) == _with(report, Status.BROKEN)
    page.press("/")
    assert page.evaluate(FOCUS) == "search"
    page.type("-prod-")
    names = page.evaluate(NAMES)
    assert len(names) > 1
    page.press("ArrowDown", "ArrowDown")
    assert names[1] in page.evaluate(FOCUS)
    page.press("Enter")
    assert page.evaluate(f"{SHOWN}.map(one => one.open)") == [index == 1 for index in range(len(names))]
    page.press("ArrowUp", "ArrowUp")
    assert page.evaluate(FOCUS) == "search"
    page.press("Escape")
    assert set(page.evaluate(NAMES)) == _with(report, Status.BROKEN)
    page.press("Tab", shift=True)
    page.press("Tab", "Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"


def test_an_opened_cluster_shows_its_chain_and_both_sides(page: Browser) -> None:
    page.click("#search")
    page.type("client_id_missing")
    page.click("details.cluster:not([hidden]) > summary")
    opened = "document.querySelector('details.cluster[open]')"
    chain = page.evaluate(f"[...{opened}.querySelectorAll('.chain li')].map(one => one.textContent)")
    assert "provider: broken" in chain
    assert "discovery: ok" in chain
    assert "should bests.amazonaws.com" in page.evaluate(f"{opened}.querySelector('.link').textContent")
    cells = page.evaluate(
        f"[...{opened}.querySelectorAll('td.minus, td.plus')].map(one => [one.className, one.textContent.trim(), "
        "Math.round(one.getBoundingClientRect().left)])"
    )
    assert [cell[:2] for cell in cells if "sts." in cell[1]] == [["plus", '"sts.amazonaws.com"']]
    assert {left for side, _text, left in cells if side == "minus"} < {left for _side, _text, left in cells}


def test_all_can_be_opened_and_closed_at_once(page: Browser) -> None:
    page.click("input[value=failed]")
    number = len(page.evaluate(NAMES))
    for opened in (number, 0):
        page.click("#all")
        assert page.evaluate("document.querySelectorAll('details.cluster[open]').length") == opened


def test_texts_of_others_stay_texts(page: Browser) -> None:
    page.evaluate("window.alert = () => { window.attacked = true }")
    page.click("#all")
    assert HOSTILE in page.evaluate("document.body.textContent")
    assert page.evaluate("document.querySelectorAll('img, svg, body script:not(:last-child)').length") == 0
    assert page.evaluate("window.attacked") is None


def test_the_policy_of_the_page_keeps_others_scripts_from_running(browser: Browser, folder: Path) -> None:
    """Even if a text got into the page as markup."""
    whole = (folder / "drift-report.html").read_text()
    spoiled = folder / "spoiled.html"
    spoiled.write_text(whole.replace("<main>", f"<main>{HOSTILE}<img src=http://127.0.0.1:9/x>", 1))
    browser.open(f"file://{spoiled}")
    refused = [text for text in browser.complaints() if "Content Security Policy" in text]
    assert len(refused) >= 3
    assert not [text for text in browser.complaints() if text.startswith("dialog")]
    assert len(browser.evaluate(NAMES)) == CLUSTERS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_both_readable(page: Browser, scheme: str) -> None:
    page.prefer(scheme)
    page.click("input[value=drifted]")
    page.click("#all")
    colours = page.evaluate(
        """(() => {
          const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
          const over = (colour, below) => {
            canvas.fillStyle = below; canvas.fillRect(0, 0, 1, 1);
            canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return 'rgb(' + [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).join(',') + ')';
          };
          const behind = one => one === null ? 'white'
            : over(getComputedStyle(one).backgroundColor, behind(one.parentElement));
          const found = new Set();
          for (const one of document.querySelectorAll('header *, .bar *, details.cluster:not([hidden]) *')) {
            const text = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
            if (text && one.checkVisibility()) {
              found.add(one.className + '|' + behind(one) + '|' + over(getComputedStyle(one).color, behind(one)));
            }
          }
          return [...found];
        })()"""
    )
    backgrounds = set()
    for look in colours:
        name, below, above = look.split("|")
        backgrounds.add(below)
        assert _contrast(below, above) >= LEAST_CONTRAST, (scheme, name, below, above)
    assert ("rgb(255,255,255)" in backgrounds) is (scheme == "light")


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_it_fits_a_narrow_window(page: Browser) -> None:
    page.picture(420, 800)
    page.click("input[value=broken]")
    page.click("#all")
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.call("Emulation.clearDeviceMetricsOverride")


def test_paper_is_light_even_for_who_likes_it_dark(page: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.prefer("dark")
    assert page.evaluate(ground) == "rgb(13, 17, 23)"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.call("Emulation.setEmulatedMedia", media="print", features=dark)
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.call("Emulation.setEmulatedMedia", media="", features=[])


def test_on_paper_what_is_wrong_is_opened(page: Browser, report: Report) -> None:
    page.click("input[value=failed]")
    failed = len(_with(report, Status.FAILED))
    page.evaluate(
        "window.addEventListener('beforeprint', () => { "
        "window.opened = document.querySelectorAll('details.cluster[open]').length })"
    )
    paper = page.pdf()
    assert paper.startswith(b"%PDF-")
    pages = max(int(number) for number in re.findall(rb"/Type /Pages[^>]*?/Count (\d+)", paper, re.DOTALL))
    assert pages > 1
    assert page.evaluate("window.opened") == failed
    assert page.evaluate("document.querySelectorAll('details.cluster[open]').length") == 0
