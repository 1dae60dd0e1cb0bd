"""What "mAP@200" means in whose code: each published definition as data.

docs/protocols.md gives the formulas and a worked example. The places in other people's code were
read at the commits named there; nothing of that code is in here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from sbirctl.core.config import parse_assignments, resolve, setting, to_dict
from sbirctl.core.errors import MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.registry import EntryPoints
from sbirctl.core.text import parse_toml, read_text


@dataclass(frozen=True)
class Definition:
    """One way to turn rankings into numbers; the defaults are the definition `standard`.

    With R relevant photos of N in the gallery and h of them among the first K; the i-th relevant
    photo stands at rank r_i.

    Attributes:
        name: how the definition is asked for; an overridden one says so ("sake,denominator=hits").
        interpolation: precision at a hit: `textbook` i / r_i, or `voc`, the largest i / r_i at
            this or any later hit (of the same list).
        denominator: what AP@K's sum of precisions is divided by: `min` (K, R), `R`, `hits` (h, and
            0 where h = 0) or `K`. AP over the whole gallery is divided by R under each of them.
        precision: what P@K's hits are divided by: `K`, `min` (K, R) or `list` (K, N); `next` is no
            precision but whether the photo at rank K + 1 is relevant.
        average: over queries, or over the means of the query classes.
        no_relevant: queries without a relevant photo are left out (`drop`), count as 0 (`zero`) or
            make the mean undefined (`nan`).
        no_hits: queries without a hit in the list count (`count`) or are left out (`drop`).
        ties: equal scores rank in gallery order, as one group (`grouped`, as scikit-learn's
            average precision does; cut-offs stay in gallery order), or after all photos that are
            not relevant (`pessimistic`).
        similarity: cosine, (negative) Euclidean distance, or (negative) Hamming distance of codes.
        nonpositive: relevant photos with a score <= 0 count, or are ignored as by torchmetrics
            since 1.7.4.
        gallery: `photos`, or `drawn`: one random relevant photo a query, with replacement.
        source: whose definition it is.
        note: what else to know.
    """

    name: str = "standard"
    interpolation: Literal["textbook", "voc"] = setting("textbook", help="precision at a hit")
    denominator: Literal["min", "R", "hits", "K"] = setting("min", help="AP@K is divided by it")
    precision: Literal["K", "min", "list", "next"] = setting("K", help="P@K is divided by it")
    average: Literal["query", "class"] = setting("query", help="what is averaged over")
    no_relevant: Literal["drop", "zero", "nan"] = setting("drop", help="queries with R = 0")
    no_hits: Literal["count", "drop"] = setting("count", help="queries with no hit in the list")
    ties: Literal["gallery", "grouped", "pessimistic"] = setting("gallery", help="equal scores")
    similarity: Literal["cosine", "euclidean", "hamming"] = setting("cosine", help="the score")
    nonpositive: Literal["count", "ignore"] = setting("count", help="relevant with score <= 0")
    gallery: Literal["photos", "drawn"] = setting("photos", help="what is ranked")
    source: str = "this project"
    note: str = ""

    def choices(self) -> dict[str, str]:
        """The choices that make the definition, without names and notes."""
        return {key: getattr(self, key) for key in CHOICES}


CHOICES = tuple(f.name for f in fields(Definition) if f.name not in ("name", "source", "note"))

_ALL = (
    Definition(note="textbook AP; AP@K over min(K, R); mean over queries"),
    Definition(
        "sake",
        interpolation="voc",
        average="class",
        source="qliu24/SAKE src/test_cse_resnet_tuberlin_zeroshot.py:295-344",
        note="Euclidean on normalised vectors (the order of cosine); prints class means only",
    ),
    Definition(
        "zse",
        interpolation="voc",
        precision="min",
        source="buptLinfy/ZSE-SBIR utils/ap.py:41-112",
        note="retrieval by [CLS]; without --testall its data are subsampled",
    ),
    Definition(
        "sempcyc",
        denominator="hits",
        precision="list",
        no_relevant="zero",
        ties="grouped",
        similarity="euclidean",
        source="AnjanDutta/sem-pcyc src/utils.py:57-100",
        note="scikit-learn's AP over the first K",
    ),
    Definition(
        "doodle2search",
        denominator="hits",
        precision="next",
        no_relevant="zero",
        ties="grouped",
        similarity="euclidean",
        source="sounakdey/doodle2search src/test.py:77-133",
        note="only mAP@all is live code; AP@200 and its P@200 (rank 201) are commented out",
    ),
    Definition(
        "zsih",
        no_hits="drop",
        similarity="hamming",
        source="ymcidence/Zero-Shot-Sketch-Image-Hashing util/eval/eval_tools.py:82-111",
        note="binary codes; ties fall as argsort leaves them, here in gallery order",
    ),
    Definition(
        "yelamarthi",
        denominator="K",
        source="ShivaKrishnaM/ZS-SBIR trainCVAE_pre.py find_precision",
        note="the mAP of the paper is mAP@200; CMT computes the same",
    ),
    Definition(
        "clipprompt",
        denominator="hits",
        source="leftthomas/ClipPrompt utils.py:72-94; Dr. CLIP utils_CG.py:79-123",
        note="mAP@K can exceed P@K; see nonpositive=ignore for torchmetrics since 1.7.4",
    ),
    Definition(
        "sketch-lvm",
        gallery="drawn",
        source="aneeshan95/Sketch_LVM src/model_LN_prompt.py:64-97",
        note="gallery: one random relevant photo a sketch, so every run differs; only mAP@all",
    ),
    Definition(
        "dsn",
        interpolation="voc",
        average="class",
        source="haowang1992/DSN src/test_cse_resnet_sketchy_zeroshot.py:125,139",
        note="Euclidean on normalised vectors (the order of cosine); mAP@all and P@100",
    ),
    Definition(
        "tcn",
        interpolation="voc",
        average="class",
        source="haowang1992/TCN util/tool.py:61-140",
        note="QuickDraw differs: textbook, grouped, hits, precision=next, average=query",
    ),
    Definition(
        "ffmln",
        interpolation="voc",
        precision="list",
        no_relevant="nan",
        source="the code of FFMLN, AMFF/metric.py:5-89 (also EGFF, ACNet)",
        note="TU-Berlin classes with fewer than 400 photos are dropped before",
    ),
    Definition(
        "ffmln-paper",
        denominator="R",
        source="FFMLN, Entropy 2023, 25, 502, Eq. 10",
        note="AP@K cannot exceed K / R",
    ),
)
PRESETS: dict[str, Definition] = {definition.name: definition for definition in _ALL}
"""By name: the published ones and those of other packages and files that were loaded."""
_OUTSIDE = EntryPoints("definition", "sbirctl.definitions")
_being_read: set[str] = set()


def all_definitions() -> dict[str, Definition]:
    """`PRESETS` with those that installed packages announce: `<name>.toml` beside a module.

    Raises:
        MissingError, UsageError, CorruptError: one of them is not there or cannot be used.
    """
    for name, point in _OUTSIDE.all().items():
        if name not in PRESETS and name not in _being_read:
            _being_read.add(name)  # one that is like itself is not looked for again
            place = Path(str(_OUTSIDE.load(point).__file__)).with_name(f"{name}.toml")
            if not place.is_file():
                raise _OUTSIDE.nothing(point)
            add(read_definition(place))
            _being_read.discard(name)
    return PRESETS


def add(definition: Definition) -> Definition:
    """Make a definition one that is found by its name.

    Raises:
        UsageError: another one has that name.
    """
    if PRESETS.setdefault(definition.name, definition) != definition:
        raise UsageError(
            f"There is a definition {definition.name!r} already.", "Give it another name."
        )
    return definition


def read_definition(path: Path) -> Definition:
    """A definition of one's own, a TOML file of its name.

    It says which parts differ from the definition `like` ("standard" where it is left out), and
    may have a `source` and a `note`.

    Raises:
        MissingError: there is no such file.
        UsageError: it is no TOML, or there is no such part or choice.
    """
    if not path.is_file():
        raise MissingError(f"There is no file {display_path(path)}.", "Check the path.")
    given = parse_toml(read_text(path), display_path(path))
    like, source = str(given.pop("like", "standard")), given.pop("source", "")
    if like.endswith(".toml"):
        raise UsageError(
            f"{display_path(path)} is like the file {like!r}.",
            "Name a definition of `sbirctl metrics`.",
        )
    note = given.pop("note", "")
    made = get(like, [f"{key}={value}" for key, value in given.items()])
    return replace(made, name=path.stem, source=str(source) or display_path(path), note=str(note))


def get(name: str, assignments: Iterable[str] = ()) -> Definition:
    """A definition by name, or a TOML file of one, with single parts overridden.

    Args:
        assignments: such as "denominator=hits".

    Raises:
        UsageError: no such definition, part or choice (the nearest is named).
        MissingError: there is no such file.
    """
    if name.endswith(".toml"):
        name = add(read_definition(Path(name))).name
    if name not in PRESETS and name not in all_definitions():
        raise UsageError(f"There is no definition {name!r}.", nearest(name, PRESETS))
    preset = PRESETS[name]
    changes = parse_assignments(assignments)
    if not changes:
        return preset
    for key in changes:
        if key not in CHOICES:
            raise UsageError(f"A definition has no part {key!r}.", nearest(key, CHOICES))
    changed = resolve(Definition, to_dict(preset), changes)
    differing = [f"{k}={v}" for k, v in changed.choices().items() if v != getattr(preset, k)]
    return replace(changed, name=",".join([name, *differing]))
