"""A page that is read back."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements, texts and nesting of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.details_text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "br":
            self.text += " "
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("th", "td", "dt", "dd"):
            self.text += " "

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if "details" in self.open:
            self.details_text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
