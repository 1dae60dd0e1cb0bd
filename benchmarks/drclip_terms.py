"""Dr. CLIP's loss terms before the first step, for every reading of its Eq. 4.

    python benchmarks/drclip_terms.py DATA_SET [--weights FILE] [--task cg] [--batches 4]
        [--set KEY=VALUE]

The paper chose lambda_1 = 15, lambda_2 = 4, lambda_3 = 4 so that every term is about 1.00 at the
start. Which direction, mean and temperature of Eq. 4 that holds for can only be seen with OpenAI's
weights on one of the paper's data sets.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

import torch

from sbirctl.core.config import parse_assignments, to_dict
from sbirctl.models import create
from sbirctl.training.config import training_config
from sbirctl.training.loader import BatchLoader, to_rgb

READINGS = itertools.product(
    ("frozen-trained", "trained-frozen"), ("classes", "images"), ("eq1", "none")
)


def main() -> None:
    """Print the weighted terms, then L_FS by reading."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--task", default="cg")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    config = training_config(
        "drclip",
        [parse_assignments(options.set)],
        dataset=options.dataset,
        task=options.task,
        weights=options.weights,
    )
    train = config.open().partition.train
    settings = config.settings
    model = create(
        "drclip", weights=config.weights, classes=train.classes, layers=[to_dict(settings)]
    )
    drawn = model.recipe()[0].plan.batches(train, 0, config.seed)
    loader = BatchLoader(train, model._mean.device, 0)
    found = []
    with torch.no_grad():
        for given in loader.batches(itertools.islice(drawn, options.batches)):
            batch = to_rgb(given)
            found.append((model.encode(batch), batch))

    def terms() -> dict[str, float]:
        with torch.no_grad():
            each = [model.losses(encoded, batch, "train") for encoded, batch in found]
        return {name: sum(float(one[name]) for one in each) / len(each) for name in each[0]}

    own = terms()
    print(f"| term, {len(found)} batches of {settings.batch} | value | weighted |\n|---|---:|---:|")
    weights = {"cls_sketch": settings.cls_weight, "cls_photo": settings.cls_weight}
    weights |= {"dbq": settings.lambda2, "rp": settings.lambda3}
    for name, weight in weights.items():
        print(f"| {name} | {own[name]:.4g} | {weight * own[name]:.4g} |")
    print("\n| Eq. 4: direction | mean | temperature | L_FS | weighted |\n|---|---|---|---:|---:|")
    for direction, mean, temperature in READINGS:
        model.settings = replace(
            settings, fs_direction=direction, fs_mean=mean, fs_temperature=temperature
        )
        fs = terms()["fs"]
        print(f"| {direction} | {mean} | {temperature} | {fs:.4g} | {settings.lambda1 * fs:.4g} |")


if __name__ == "__main__":
    main()
