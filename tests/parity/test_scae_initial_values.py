"""Initial values of parts and set transformer are distributed as the original's."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.stats

from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.tf1_variables import (
    part_encoder_variables,
    set_transformer_variables,
    template_decoder_variables,
)

STATISTICS = json.loads((Path(__file__).parent / "golden" / "init_stats_scae.json").read_text())


def image_layers(config):
    n_caps, n_features = config["n_part_caps"], config["n_part_special_features"]
    encoder = PartCapsuleEncoder(n_caps, n_features=n_features)
    encoder.build((None, config["canvas_size"], config["canvas_size"], config["n_channels"]))
    decoder = TemplateDecoder(
        [config["canvas_size"]] * 2,
        [config["template_size"]] * 2,
        n_caps,
        n_features=n_features,
        **{key: config[key] for key in ("n_channels", "colorize_templates", "use_alpha_channel")},
    )
    decoder.build()
    transformer = SetTransformer(n_outputs=config["n_obj_caps"], layer_norm=True)
    transformer.build((None, n_caps, 7 + n_features + config["template_size"] ** 2 * config["n_channels"]))
    return {
        **part_encoder_variables(encoder),
        **template_decoder_variables(decoder),
        **set_transformer_variables(transformer),
    }


def constellation_layers():
    transformer = SetTransformer(4, 4, 128, 32, 3, layer_norm=True)
    transformer.build((None, 11, 2))
    return set_transformer_variables(transformer)


@pytest.mark.parametrize("case", STATISTICS)
def test_initial_values(case):
    keras.utils.set_random_seed(1)
    config, expected = STATISTICS[case]["config"], STATISTICS[case]["variables"]
    layers = constellation_layers() if config["model"] == "constellation" else image_layers(config)
    theirs = {name for name in expected if not name.startswith(("image_", "constellation_"))}
    assert set(layers) == theirs
    for name, part in layers.items():
        values = part.take(part.variable.numpy())
        assert values.size == np.prod(expected[name]["shape"]), name
        if name.endswith("/templates"):
            assert (values.min(), values.max()) == (0.0, 1.0)
            assert values.mean() == pytest.approx(expected[name]["mean"], abs=0.1)
            continue
        check(name, values.ravel(), expected[name])


def check(name, values, expected):
    distribution = expected["distribution"]
    if distribution in ("zeros", "ones", "constant"):
        assert np.all(values == expected["mean"]), name
        return
    if distribution == "truncated normal":
        law = scipy.stats.truncnorm(-2.0, 2.0, scale=expected["stddev_before_truncation"])
    else:
        assert distribution == "uniform", distribution
        law = scipy.stats.uniform(expected["low"], expected["high"] - expected["low"])
    assert law.ppf(0.0) * 1.0001 <= values.min(), name
    assert values.max() <= law.ppf(1.0) * 1.0001, name
    assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-4, name
