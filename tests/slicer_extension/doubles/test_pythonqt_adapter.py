"""The adapter refuses what PythonQt would refuse: else a panel could pass here and fail in Slicer."""

import ast
from functools import partial

import pytest
from tests.slicer_extension.doubles.pythonqt_adapter import install
from tests.slicer_extension.doubles.scripted_module import MODULE

install()

import qt

SOURCES = sorted(MODULE.rglob("*.py"))


def test_a_property_is_an_attribute_and_its_setter_stays_callable() -> None:
    label = qt.QLabel("one")
    assert label.text == "one"
    label.text = "two"
    label.setText(label.text + "!")
    assert label.text == "two!"
    with pytest.raises(TypeError):
        label.text()


def test_a_wrong_attribute_is_refused() -> None:
    with pytest.raises(AttributeError, match="txet"):
        qt.QLabel().txet = "typo"


def test_a_signal_is_connected_by_its_signature_and_the_slot_gets_as_many_values_as_it_takes() -> None:
    heard: list[object] = []
    button = qt.QPushButton("press")
    button.connect("clicked(bool)", lambda is_checked: heard.append(is_checked))
    button.connect("clicked()", lambda: heard.append("plain"))
    button.connect("clicked()", lambda name="kept": heard.append(name))
    button.click()
    assert heard == [False, "plain", "kept"]


@pytest.mark.parametrize("signature", ["clickd()", "clicked(int)", "text"])
def test_a_signal_that_does_not_exist_is_refused(signature: str) -> None:
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect(signature, print)


def test_a_signal_can_be_disconnected() -> None:
    heard: list[str] = []
    button = qt.QPushButton()
    button.connect("clicked()", lambda: heard.append("gone"))
    button.disconnect("clicked()")
    button.click()
    assert heard == []


def test_widgets_that_qt_made_are_of_the_published_classes() -> None:
    box = qt.QWidget()
    layout = qt.QVBoxLayout(box)
    layout.addWidget(qt.QLabel("inside"))
    assert isinstance(layout.itemAt(0).widget(), qt.QLabel)


@pytest.mark.parametrize("name", ["fontMetrics", "fontInfo"])
def test_a_value_of_a_class_that_pythonqt_cannot_make_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown to PythonQt"):
        getattr(qt.QLabel(), name)()
    assert qt.QFontMetrics(qt.QLabel().font).height() > 0


def test_a_callable_that_is_no_function_gets_all_values() -> None:
    heard: list[object] = []
    button = qt.QPushButton()
    button.connect("clicked(bool)", partial(heard.append))
    button.connect("clicked()", partial(heard.append, "bound"))
    button.click()
    assert heard == [False, "bound"]


def test_a_class_of_qt_takes_no_keywords() -> None:
    with pytest.raises(ValueError, match="keyword arguments"):
        qt.QLabel(text="no")


def test_a_byte_array_is_a_wrapper() -> None:
    packed = qt.QByteArray(b"a\x00b")
    assert packed.data() == b"a\x00b" and qt.QByteArray(b"").data() == b""
    for wrong in (bytes, len, list):
        with pytest.raises(TypeError):
            wrong(packed)


def _is_of_qt(node: ast.AST) -> bool:
    """Whether an expression begins at ``qt``, ``ui`` or ``self.ui``."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute) and node.attr == "ui":
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id in ("qt", "ui")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(MODULE)))
def test_the_source_asks_nothing_of_qt_that_pythonqt_refuses(path: object) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and _is_of_qt(node.func):
            assert not node.keywords, f"keywords: {ast.unparse(node)}"
        is_size_hint = isinstance(node, ast.Attribute) and node.attr in ("sizeHint", "minimumSizeHint")
        assert not is_size_hint, "a property there, a method here"
        if isinstance(node, ast.Attribute) and node.attr in ("name", "value") and isinstance(node.value, ast.Attribute):
            is_enum = _is_of_qt(node.value) and ast.unparse(node).startswith("qt.")
            assert not is_enum, f"an enum has no such thing: {ast.unparse(node)}"
