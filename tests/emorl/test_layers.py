"""Every layer is described by its config and is a function of its options and seed."""

import keras
import numpy as np
import pytest

from emorl.dual_gru import DualGRU, GRUCell
from emorl.image_decoders import BigDecoder, IodineDecoder, SmallDecoder
from emorl.image_encoder import ImageEncoder
from emorl.prior import ConditionalPrior
from emorl.refinement import RefinementNetwork
from emorl.slot_inference import SlotInference

LAYERS = {
    "gru": (GRUCell(3, "normal", 1), (None, 5)),
    "dual_gru": (DualGRU(3, 1), (None, 6)),
    "encoder": (ImageEncoder(6, "torch", 1), (None, 6, 6, 3)),
    "slot_inference": (SlotInference(3, 2, False, 1), (None, 36, 64)),
    "small": (SmallDecoder(6, 3, 1), (None, 2, 3)),
    "iodine": (IodineDecoder(6, 3, 1), (None, 2, 3)),
    "big": (BigDecoder(96, 3, 1), (None, 2, 3)),
    "prior": (ConditionalPrior(3, 1), (None, 2, 3)),
    "refinement": (RefinementNetwork(3, 1), (None, 2, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_config(name):
    layer, shape = LAYERS[name]
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    for one in (layer, copy):
        one.build(shape)
    assert layer.variables
    for a, b in zip(layer.variables, copy.variables, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(a, b)
    assert len({v.path for v in layer.variables}) == len(layer.variables)
