# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Style and script of the report's page. Nothing is loaded from anywhere; without the script all is still readable."""

from __future__ import annotations

import typing as t

#: Wide tables of a thousand clusters stay quick, because what is out of sight is not laid out.
STYLE: t.Final = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1f24; --soft: #57606a; --line: #d0d7de; --panel: #f6f8fa;
  --ok: #1a7f37; --drifted: #8a5a00; --broken: #b3261e; --failed: #7440d0; --unknown: #57606a;
  --minus: #ffebe9; --plus: #dafbe1; --focus: #0969da; --tint: 12%; }
@media screen and (prefers-color-scheme: dark) { :root { --bg: #0d1117; --fg: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --panel: #151b23; --ok: #3fb950; --drifted: #d29922; --broken: #ff7b72; --failed: #bc8cff; --unknown: #9198a1;
  --minus: #4b1113; --plus: #0f3a1d; --focus: #58a6ff; --tint: 20%; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem 1.5rem 3rem; background: var(--bg); color: var(--fg);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
.soft { color: var(--soft); }
.tiles, .filters { display: flex; flex-wrap: wrap; gap: .5rem; margin: .75rem 0; align-items: center; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .7rem; background: var(--panel); }
.tile b { font-size: 1.2rem; }
.filters { margin: 0; padding: .5rem 0; }
.bar { position: sticky; top: 0; background: var(--bg); z-index: 1; }
input[type=search] { font: inherit; padding: .3rem .5rem; min-width: 18rem; border: 1px solid var(--line);
  border-radius: 6px; background: var(--bg); color: var(--fg); }
.filters label, .filters button { border: 1px solid var(--line); border-radius: 6px; padding: .25rem .5rem;
  cursor: pointer; }
.filters button { font: inherit; background: var(--panel); color: var(--fg); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
.row { display: grid; grid-template-columns: minmax(12rem, 2fr) repeat(6, minmax(6.5rem, 1fr)); gap: 0 .5rem;
  padding: .3rem .5rem; align-items: center; }
.head { font-weight: 600; border-bottom: 2px solid var(--line); overflow-wrap: anywhere; }
details.cluster { border-bottom: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 2rem; }
details.cluster > summary { cursor: pointer; list-style: none; scroll-margin-top: 8rem; outline-offset: -2px; }
details.cluster > summary::-webkit-details-marker { display: none; }
details.cluster > summary .name::before { content: "\\25B8\\00A0"; color: var(--soft); }
details.cluster[open] > summary .name::before { content: "\\25BE\\00A0"; }
details.cluster[open] { background: var(--panel); }
details.cluster > summary:hover { background: var(--panel); }
.name { overflow-wrap: anywhere; font-weight: 600; }
.in_sync { color: var(--ok); } .skipped { color: var(--soft); } .unknown { color: var(--unknown); font-style: italic; }
.drifted { color: var(--drifted); font-weight: 600; } .broken { color: var(--broken); font-weight: 700; }
.failed { color: var(--failed); font-weight: 600; }
.cell { justify-self: start; border-radius: 6px; padding: 0 .4rem; margin-left: -.4rem; }
.cell.drifted, .cell.broken, .cell.failed { background: color-mix(in srgb, currentColor var(--tint), transparent); }
.cell::before { content: "\\2713\\00A0"; } .cell.skipped::before { content: "\\2013\\00A0"; }
.cell.unknown::before { content: "?\\00A0"; } .cell.drifted::before { content: "\\2260\\00A0"; }
.cell.broken::before { content: "\\2715\\00A0"; } .cell.failed::before { content: "!\\00A0"; }
.body { padding: .25rem 1.25rem 1rem; }
.chain { display: flex; flex-wrap: wrap; list-style: none; padding: 0; gap: .35rem 0; }
.chain li > span { border: 1px solid currentColor; border-radius: 6px; padding: .1rem .5rem; display: inline-block; }
.chain li + li::before { content: "\\2192"; color: var(--soft); padding: 0 .35rem; }
.chain .link-unknown > span { border-style: dashed; }
.link { border-left: 4px solid var(--broken); margin: .75rem 0; padding: .1rem .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.link-ok { color: var(--ok); } .link-broken { color: var(--broken); font-weight: 700; }
.link-unknown { color: var(--unknown); }
.drift { border-left: 4px solid var(--drifted); margin: .75rem 0; padding: .1rem .75rem; }
.drift.high { border-color: var(--broken); } .drift.low { border-color: var(--line); }
.tag.high { color: var(--broken); border-color: currentColor; font-weight: 600; }
.tag.medium { color: var(--drifted); border-color: currentColor; }
.tag { border: 1px solid var(--line); border-radius: 99px; padding: 0 .5rem; font-size: .85em; }
.drift p, .link p { margin: .25rem 0; overflow-wrap: anywhere; }
table.diff { border-collapse: collapse; width: 100%; table-layout: fixed; margin: .4rem 0;
  font: 12.5px/1.4 ui-monospace, monospace; }
table.diff th { text-align: left; font-weight: 600; }
table.diff td { width: 50%; padding: 0 .4rem; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere;
  border-left: 1px solid var(--line); }
td.minus { background: var(--minus); } td.plus { background: var(--plus); }
td.gap { text-align: center; color: var(--soft); }
[hidden] { display: none !important; }
@media (max-width: 60rem) { .row { grid-template-columns: repeat(3, 1fr); } .name { grid-column: 1 / -1; }
  .row.head { display: none; } .bar { position: static; } input[type=search] { min-width: 0; flex: 1 1 12rem; }
  .cell[title]::after { content: attr(title); display: block; color: var(--soft); font: 11px/1.3 system-ui, sans-serif;
  overflow-wrap: anywhere; } .body { padding: .25rem .5rem 1rem; } }
@media print { .filters { display: none; } .bar { position: static; } body { max-width: none; padding: 0;
  font-size: 11px; } h2 { font-size: 13px; } table.diff { font-size: 9.5px; }
  .row { grid-template-columns: minmax(9rem, 2fr) repeat(6, 1fr); } .row.head { display: grid; }
  .name { grid-column: auto; } .cell[title]::after { content: none; }
  details.cluster { content-visibility: visible; } summary, .link, .drift, tr { break-inside: avoid; } }
"""

#: Search and filters, which the address keeps; on paper every cluster that is shown is opened.
SCRIPT: t.Final = """
(function () {
  'use strict';
  var rows = Array.prototype.slice.call(document.querySelectorAll('details.cluster'));
  var search = document.getElementById('search');
  var boxes = Array.prototype.slice.call(document.querySelectorAll('.filters input[type=checkbox]'));
  var shown = document.getElementById('shown'), all = document.getElementById('all');
  function visible() { return rows.filter(function (row) { return !row.hidden; }); }
  function apply() {
    var text = search.value.trim().toLowerCase(), count = 0;
    var statuses = boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; });
    rows.forEach(function (row) {
      var fits = statuses.length === 0 || statuses.some(function (one) {
        return row.dataset.statuses.split(' ').indexOf(one) >= 0; });
      fits = fits && (text === '' || row.dataset.text.indexOf(text) >= 0);
      row.hidden = !fits;
      if (fits) { count += 1; }
    });
    shown.textContent = count + ' of ' + rows.length + ' shown';
    var hash = new URLSearchParams();
    if (text) { hash.set('q', text); }
    statuses.forEach(function (one) { hash.append('status', one); });
    history.replaceState(null, '', hash.toString() ? '#' + hash.toString() : location.pathname + location.search);
  }
  var given = new URLSearchParams(location.hash.slice(1));
  search.value = given.get('q') || '';
  boxes.forEach(function (box) { box.checked = given.getAll('status').indexOf(box.value) >= 0; box.onchange = apply; });
  search.oninput = apply;
  all.hidden = false;
  all.onclick = function () {
    var open = all.getAttribute('aria-pressed') !== 'true';
    visible().forEach(function (row) { row.open = open; });
    all.setAttribute('aria-pressed', open);
  };
  document.addEventListener('keydown', function (event) {
    var summaries = visible().map(function (row) { return row.firstElementChild; });
    var here = summaries.indexOf(document.activeElement);
    if (event.key === '/' && document.activeElement !== search) { event.preventDefault(); search.focus(); }
    else if (event.key === 'Escape' && document.activeElement === search) { search.value = ''; apply(); }
    else if (event.key === 'ArrowDown' && (here >= 0 || document.activeElement === search)) {
      event.preventDefault(); if (summaries[here + 1]) { summaries[here + 1].focus(); } }
    else if (event.key === 'ArrowUp' && here >= 0) {
      event.preventDefault(); (here === 0 ? search : summaries[here - 1]).focus(); }
  });
  window.addEventListener('beforeprint', function () {
    rows.forEach(function (row) {
      if (!row.hidden && row.dataset.wrong === 'yes') { row.dataset.wasOpen = row.open; row.open = true; }
    });
  });
  window.addEventListener('afterprint', function () {
    rows.forEach(function (row) {
      if (row.dataset.wasOpen !== undefined) { row.open = row.dataset.wasOpen === 'true'; delete row.dataset.wasOpen; }
    });
  });
  var age = document.getElementById('age'), made = Date.parse(age.dateTime);
  var minutes = Math.max(0, Math.round((Date.now() - made) / 60000));
  var ago = minutes < 120 ? minutes + ' minutes' : minutes < 2880 ? Math.round(minutes / 60) + ' hours'
    : Math.round(minutes / 1440) + ' days';
  age.insertAdjacentText('afterend', ' (' + ago + ' ago)');
  apply();
}());
"""
