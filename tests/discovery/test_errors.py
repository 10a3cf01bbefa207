import keras
import pytest
import tensorflow as tf

from discovery import UserError


class Refusing(keras.layers.Layer):
    def call(self, x):
        raise UserError("one line")


def test_a_mistake_stays_one_line_when_a_layer_notices_it():
    with pytest.raises(UserError) as caught:
        Refusing()(tf.zeros((2, 3)))
    assert str(caught.value) == "one line"
