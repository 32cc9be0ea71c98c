"""The adapter refuses what PythonQt would refuse: else a panel could pass here and fail in Slicer."""

import pytest
from tests.slicer_extension.pythonqt_adapter import install

install()

import qt


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
