"""The case report: one HTML file a case that needs no network, and the index over several cases."""

from .case_report import ReportSource, render_report, write_report
from .cxr_report import render_cxr_report, write_cxr_report
from .index import render_index, write_index
from .summary import summary_line

__all__ = [
    "ReportSource",
    "render_cxr_report",
    "render_index",
    "render_report",
    "summary_line",
    "write_cxr_report",
    "write_index",
    "write_report",
]
