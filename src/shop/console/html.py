"""HTML by functions. Whatever isn't `Html` is text, and is escaped."""

from html import escape


class Html(str):
    """Markup that is safe as it is."""

    __slots__ = ()


Child = str | Html | None
_EMPTY = frozenset({"input", "link", "meta"})


def el(tag: str, /, *children: Child, **attributes: str | bool) -> Html:
    """An element. Attributes: `class_` is `class`, `data_x` is `data-x`, True is without a value, False leaves it out.

    >>> el("a", "<b>", href="/x", class_="y")
    '<a href="/x" class="y">&lt;b&gt;</a>'
    """
    opened = tag + "".join(_attribute(key, value) for key, value in attributes.items() if value is not False)
    return Html(f"<{opened}>") if tag in _EMPTY else Html(f"<{opened}>{join(*children)}</{tag}>")


def join(*children: Child) -> Html:
    return Html("".join(each if isinstance(each, Html) else escape(each or "") for each in children))


def _attribute(key: str, value: str | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def table(heads: list[str], rows: list[Html], **attributes: str | bool) -> Html:
    """Rows are made by `row`; the heads are repeated beside the cells where the screen is narrow."""
    head = el("thead", el("tr", *(el("th", each, scope="col") for each in heads)))
    return el("table", head, el("tbody", *rows), **attributes)


def row(cells: dict[str, Child], **attributes: str | bool) -> Html:
    """A cell a head."""
    return el("tr", *(el("td", child, data_head=head) for head, child in cells.items()), **attributes)


def page(title: str, current: str, *body: Child) -> Html:
    """A whole document."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · Amends"),
        el("link", rel="icon", href="data:,"),
        el("link", rel="stylesheet", href="/ops/assets/console.css"),
        el("script", src="/ops/assets/console.js", defer=True),
    )
    links = [("Sagas", "/ops/"), ("Checks", "/ops/checks"), ("API", "/ops/docs"), ("Metrics", "/metrics")]
    items = [el("a", name, href=href, **_current(name == current)) for name, href in links]
    header = el("header", el("a", "Amends", href="/ops/", class_="brand"), el("nav", *items, aria_label="Pages"))
    document = el("html", head, el("body", header, el("main", el("h1", title), *body)), lang="en")
    return Html(f"<!doctype html>{document}")


def _current(is_it: bool) -> dict[str, str | bool]:
    return {"aria_current": "page"} if is_it else {}
