"""Writes a report where its reader wants it: as HTML, or as PDF by Qt's printer."""

import os

import qt

from ..translation import _

PDF = ".pdf"


class ReportError(Exception):
    """Why a report could not be written, in one sentence."""


def filters() -> str:
    """The kinds that a file dialog offers."""
    return ";;".join(["HTML (*.html)", *(["PDF (*.pdf)"] if has_printer() else [])])


def has_printer() -> bool:
    """Whether this Slicer brings Qt's printing along."""
    return hasattr(qt, "QPrinter")


def write_report(html: str, path: str) -> None:
    """Write a page; the ending of the path says as what.

    Raises:
        ReportError: if it cannot be written there.
    """
    try:
        if path.lower().endswith(PDF):
            _write_pdf(html, path)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(html)
    except OSError as error:
        text = _("The report cannot be written to {path} ({reason}).")
        raise ReportError(text.format(path=path, reason=error.strerror)) from None


def _write_pdf(html: str, path: str) -> None:
    if not has_printer():
        raise ReportError(_("This Slicer cannot write PDF: save the report as HTML and print that."))
    # Qt says nothing of a file that cannot be opened.
    with open(path, "wb"):
        pass
    printer = qt.QPrinter()
    printer.setOutputFormat(qt.QPrinter.PdfFormat)
    printer.setOutputFileName(path)
    document = qt.QTextDocument()
    document.setHtml(html)
    document.print(printer)
    if not os.path.getsize(path):
        raise ReportError(_("Qt could not write the PDF {path}: save the report as HTML.").format(path=path))
