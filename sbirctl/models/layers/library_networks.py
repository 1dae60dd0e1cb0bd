"""The networks of torchvision and timm by name, as backbones with random values.

torchvision's names come first (resnet50, vgg19), then timm's (mobilenetv2_100); a timm name with
a tag (`resnet50.a1_in1k`) is always timm's.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from sbirctl.core.errors import UsageError, nearest
from sbirctl.models.layers.backbones import Backbone, BackboneSettings

_HEADS = ("avgpool", "dropout", "fc")


def build(settings: BackboneSettings, *, freeze_bn: bool = True) -> Backbone:
    """The network of that name with random values and without its classifier.

    Raises:
        UsageError: neither torchvision nor timm has it, or its constructor refuses `extra`.
    """
    import timm
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if settings.name in names:
        library, built = "torchvision", _construct(settings, _torchvision)
    elif timm.is_model(settings.name):
        library, built = "timm", _construct(settings, _timm)
    else:
        known = {*names, *timm.list_models()}
        raise UsageError(f"There is no backbone {settings.name!r}.", nearest(settings.name, known))
    net, width, classifier = built
    return Backbone(net, width, library, settings, classifier, _trunk(net), freeze_bn)


_Built = tuple[nn.Module, int, tuple[str, ...]]


def _construct(
    settings: BackboneSettings, constructor: Callable[[BackboneSettings], _Built]
) -> _Built:
    try:
        return constructor(settings)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError) as error:
        given = ", ".join(f"backbone.{k}={v}" for k, v in settings.extra.items())
        raise UsageError(
            f"The backbone {settings.name!r} cannot be built{f' with {given}' if given else ''}:"
            f" {error}.",
            "Check the name's tag and the backbone's own settings.",
        ) from error


def _torchvision(settings: BackboneSettings) -> _Built:
    import torchvision

    extra = dict(settings.extra)
    if settings.name in ("googlenet", "inception_v3"):
        extra = {"aux_logits": False, "init_weights": False, **extra}
    net = torchvision.models.get_model(settings.name, weights=None, **extra)
    name, last = [
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ][-1]
    net.set_submodule(name, nn.Identity())
    width = last.in_features if isinstance(last, nn.Linear) else last.in_channels
    return net, width, (name,)


def _timm(settings: BackboneSettings) -> _Built:
    import timm

    net = timm.create_model(settings.name, pretrained=False, num_classes=0, **settings.extra)
    width = getattr(net, "head_hidden_size", None) or net.num_features
    classifier = net.pretrained_cfg.get("classifier") or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return net, width, names


def _trunk(net: nn.Module) -> tuple[str, ...]:
    """Names of the modules a torchvision network runs before pooling, one after the other."""
    children = dict(net.named_children())
    for name in ("features", "layers"):
        trunk = children.get(name)
        if isinstance(trunk, nn.Sequential) and "permute" not in children:  # Swin's are n, H, W, C
            return tuple(f"{name}.{child}" for child, _ in trunk.named_children())
    trunk = children.get("trunk_output")
    if isinstance(trunk, nn.Sequential):
        return ("stem", *(f"trunk_output.{child}" for child, _ in trunk.named_children()))
    return tuple(name for name in children if name not in _HEADS) if "fc" in children else ()
