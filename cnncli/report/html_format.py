"""Pages as HTML: one element with its own style, light or dark as the reader prefers, without scripts.

Rows that may be folded are in ``<details>``. Every row is a grid with the widths of its table's columns,
counted in characters, so that the tables within and beside a fold line up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Fold, Line, Table
from cnncli.report.text.escapes import html

_STYLE: Final = """
.cnncli{--ink:#1f2328;--dim:#59636e;--line:#d1d9e0;--paper:#fff;--title:#0550ae;--good:#116329;--bad:#a40e26;
--warn:#7d4e00;
background:var(--paper);color:var(--ink);padding:.8em 1em;overflow-x:auto;text-align:left;
font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){.cnncli{--ink:#d1d7e0;--dim:#9198a1;--line:#3d444d;--paper:#0d1117;
--title:#79c0ff;--good:#56d364;--bad:#ff7b72;--warn:#e3b341}}
.cnncli p{margin:0;white-space:pre-wrap;max-width:100ch;font:inherit;color:inherit}
.cnncli .wrap{padding-left:4ch;text-indent:-4ch}
.cnncli .title{font-weight:bold;color:var(--title)}.cnncli .heading{font-weight:bold}
.cnncli .note{color:var(--dim)}.cnncli .good{font-weight:bold;color:var(--good)}
.cnncli .error{font-weight:bold;color:var(--bad)}.cnncli .warning{color:var(--warn)}
.cnncli .section{margin-top:1em}.cnncli .grid{width:max-content}
.cnncli table,.cnncli thead,.cnncli tbody{display:block;margin:0;border:0;font:inherit;color:inherit}
.cnncli tr,.cnncli summary{display:grid;grid-template-columns:var(--columns);column-gap:2ch;border:0;
background:none}
.cnncli th,.cnncli td,.cnncli summary span{padding:0;border:0;text-align:left;white-space:pre;
overflow:visible;max-width:none;background:none;color:inherit}
.cnncli .r{text-align:right!important}
.cnncli thead tr{border-bottom:1px solid var(--line);font-weight:bold}
.cnncli .rule{border-top:1px solid var(--line)}.cnncli .total{font-weight:bold}
.cnncli tbody tr:hover,.cnncli summary:hover{background:color-mix(in srgb,var(--line) 35%,transparent)}
.cnncli summary{cursor:pointer;list-style:none}.cnncli summary::-webkit-details-marker{display:none}
.cnncli .folds :is(th,td):first-child{padding-left:2ch}
.cnncli summary span:first-child::before{content:"▸ ";color:var(--dim)}
.cnncli details[open]>summary span:first-child::before{content:"▾ "}
"""
_MARK: Final = 2
"""The width of the mark of a fold, in columns."""


def lines(page: Page) -> Iterator[Line]:
    """Yield the element that shows a page; it may be put anywhere in a document."""
    yield Line(f'<div class="cnncli"><style>{_STYLE}</style>', "")
    if page.title:
        yield from _text(Text((page.title,), "title"))
    if page.answer is not None:
        yield from _text(Text(page.answer.lines, page.answer.role))
    yield from _blocks(page.lead)
    for section in page.sections(None):
        yield Line('<div class="section">', "")
        yield from _blocks(section)
        yield Line("</div>", "")
    yield Line("</div>", "")


def _blocks(section: Section) -> Iterator[Line]:
    for block in section:
        yield from _text(block) if isinstance(block, Text) else (Line(line, "") for line in _table(block))


def _text(block: Text) -> Iterator[Line]:
    """Yield a paragraph for each line; the browser wraps it, with the indent that a screen gives it."""
    classes = " ".join(filter(None, (block.role, "wrap" if block.indent else "")))
    attribute = f' class="{classes}"' if classes else ""
    return (Line(f"<p{attribute}>{html(line)}</p>", "") for line in block.lines)


def _table(table: Table) -> Iterator[str]:
    folds = sorted(table.folds(), key=lambda fold: (fold.first, -fold.end))
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    widths = " ".join(f"{width}ch" for width in _widths(table, folds))
    yield f'<div class="grid{" folds" if folds else ""}" style="--columns:{widths}">'
    headings = _cells("th", [column.heading for column in table.columns], table.columns)
    yield f"<table><thead><tr>{headings}</tr></thead></table>"
    yield from _rows(table, rows, 0, len(rows), folds)
    yield "</div>"


def _widths(table: Table, folds: Sequence[Fold]) -> Iterator[int]:
    for index, column in enumerate(table.columns):
        folded = max((len(fold.cells[index]) for fold in folds), default=0)
        yield max(column.width, folded) + (_MARK if folds and index == 0 else 0)


def _rows(
    table: Table, rows: Sequence[Sequence[str]], first: int, end: int, folds: Sequence[Fold]
) -> Iterator[str]:
    """Yield the rows from ``first`` to ``end``: the outermost folds, and plain tables between them."""
    for fold in _outermost(folds):
        yield from _plain(table, rows, first, fold.first)
        inner = [each for each in folds if fold.first <= each.first and each.end <= fold.end and each != fold]
        yield f"<details><summary>{_cells('span', fold.cells, table.columns)}</summary>"
        yield from _rows(table, rows, fold.first, fold.end, inner)
        yield "</details>"
        first = fold.end
    yield from _plain(table, rows, first, end)


def _outermost(folds: Sequence[Fold]) -> Iterator[Fold]:
    """Yield the folds that are not inside another; they are sorted, the longer one first."""
    end = 0
    for fold in folds:
        if fold.first >= end:
            yield fold
            end = fold.end


def _plain(table: Table, rows: Sequence[Sequence[str]], first: int, end: int) -> Iterator[str]:
    if first == end:
        return
    body = len(rows) - table.totals
    yield "<table><tbody>"
    for index in range(first, end):
        roles = ["rule"] if index == body or index in table.rules else []
        roles += ["total"] if index >= body else []
        attribute = f' class="{" ".join(roles)}"' if roles else ""
        yield f"<tr{attribute}>{_cells('td', rows[index], table.columns)}</tr>"
    yield "</tbody></table>"


def _cells(tag: str, cells: Sequence[str], columns: Sequence[Column]) -> str:
    return "".join(
        f"<{tag}{' class=r' if column.right else ''}>{html(cell)}</{tag}>"
        for cell, column in zip(cells, columns, strict=True)
    )
