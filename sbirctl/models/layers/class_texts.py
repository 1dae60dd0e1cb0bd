"""Texts of training classes, which CLIP's text encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sbirctl.core.errors import UsageError

FineGrained = Literal["instance", "category"]


def text_of_class(name: str, fine_grained: FineGrained = "instance") -> str:
    """A class name as words: `car_(sedan)` is "car (sedan)".

    Fine-grained classes are photo instances named `<category>/<photo stem>`; the text is the
    stem, as in the released code, or the category.
    """
    category, slash, stem = name.partition("/")
    chosen = stem if slash and fine_grained == "instance" else category
    return chosen.replace("_", " ")


def filled(template: str, texts: Sequence[str], key: str = "template") -> list[str]:
    """The template with each text in place of its {}.

    Args:
        template: such as "a photo of a {}". texts: of classes. key: the setting it is.

    Raises:
        UsageError: it has not one {}.
    """
    if template.count("{}") != 1:
        raise UsageError(
            f"{key}={template!r} has no single {{}}, where the name of a class goes.",
            f"Add it, as in --set {key}='a photo of a {{}}'.",
        )
    return [template.replace("{}", text) for text in texts]


def class_texts(
    names: Sequence[str], fine_grained: FineGrained
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The texts that tell classes apart; arguments and result as for `texts_of_classes`.

    Raises:
        UsageError: there is only one text.
    """
    texts, index = texts_of_classes(names, fine_grained)
    if len(set(texts)) < 2:
        raise UsageError(
            f"All classes share the text {texts[0]!r}: nothing could be learnt from it.",
            "Add --set fg_text=instance.",
        )
    return texts, index


def texts_of_classes(
    names: Sequence[str], fine_grained: FineGrained
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The texts of the classes, and which of them each class has.

    Classes of one category share its text; instances have one each, even where two categories
    have a photo of the same name.

    Args:
        names: of the training classes, in the order of their labels.
        fine_grained: see `text_of_class`.
    """
    texts = tuple(text_of_class(name, fine_grained) for name in names)
    index = tuple(range(len(texts)))
    if fine_grained == "category":
        distinct = tuple(dict.fromkeys(texts))
        index = tuple(distinct.index(text) for text in texts)
        texts = distinct
    return texts, index
