"""The one line that the command line prints for a screened case."""

from ..case import Case


def summary_line(case: Case) -> str:
    """``<case_id> <verdict> <confidence> <seconds>`` of a screened case.

    The confidence is the exported one of the winning type, 0.00 where a CT held no infection; that of an X-ray is
    the probability of its class, healthy too. The seconds are the whole screening. What is not known is printed as
    ``-``.
    """
    verdict = "-" if case.verdict is None else case.verdict.label
    confidence = "-" if case.verdict is None else f"{case.verdict.exported:.2f}"
    seconds = f"{case.timings_s['total']:.1f}" if "total" in case.timings_s else "-"
    return f"{case.case_id} {verdict} {confidence} {seconds}"
