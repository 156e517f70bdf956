"""The page of checks, and what is shown instead of a page."""

from shop.console.html import Html, el, page
from shop.console.list_page import badge
from shop.ops.check_api import Findings, FindingView


def checks_page(findings: Findings) -> Html:
    verdict = "Every invariant holds." if findings.holds else "An invariant is broken."
    summary = el("p", verdict, class_="alert good" if findings.holds else "alert", role="status")
    return page("Checks", "Checks", summary, el("div", *(_finding(each) for each in findings.checks), class_="checks"))


def _finding(finding: FindingView) -> Html:
    figures = [el("div", el("dt", name), el("dd", f"{figure:,}")) for name, figure in finding.figures.items()]
    return el(
        "section",
        el("h2", finding.name, " ", badge("holds" if finding.holds else "broken")),
        el("dl", *figures),
        el("p", finding.detail, class_="detail") if finding.detail else None,
    )


def problem_page(title: str, detail: str) -> Html:
    return page(title, "", el("p", detail, class_="alert", role="alert"))
