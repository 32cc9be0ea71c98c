"""The set-ups are what their names say, and train as the configurations that come along."""

from pathlib import Path

from pneumoscreen.config import load_config
from pneumoscreen.cxr.crossvalidation.arms import Frame, ablation_arms, audit_arms, single
from pneumoscreen.cxr.learning.lessons import DiscriminationTrainingSettings

CONFIGS = Path(__file__).parents[3] / "configs"


def test_a_trunk_that_has_learnt_trains_as_its_configuration_says() -> None:
    arm = single(Frame(trunk="efficientnet_lite0"), "classes", "patient")
    expected = load_config(CONFIGS / "cxr_discrimination_imagenet.yaml", DiscriminationTrainingSettings)
    assert arm.training == expected


def test_the_published_trunk_trains_as_its_configuration_says() -> None:
    arm = single(Frame(), "classes", "patient")
    assert arm.training == load_config(CONFIGS / "cxr_discrimination.yaml", DiscriminationTrainingSettings)


def test_the_plain_network_has_none_of_the_methods_parts() -> None:
    plain = single(Frame(trunk="efficientnet_lite0"), "classes", "patient", view="whole", plain=True).training
    network = plain.network
    assert (network.trunk, network.view) == ("resnet18", "whole")
    assert not any((network.superpixels, network.pyramid, network.mirrored, plain.multi_focal))


def test_an_ablation_takes_one_part_away() -> None:
    method, *others = [arm.training for arm in ablation_arms(Frame()) if arm.task == "classes"]
    whole = method.model_dump() | method.model_dump()["network"]
    for other in others:
        values = other.model_dump() | other.model_dump()["network"]
        changed = {name for name, value in values.items() if value != whole[name]} - {"network"}
        assert len(changed) == 1


def test_every_set_up_of_the_audit_is_compared_with_one_of_it() -> None:
    arms = audit_arms(Frame())
    names = {arm.name for arm in arms}
    assert len(names) == len(arms) == 6
    assert all(arm.against is None or arm.against in names for arm in arms)
