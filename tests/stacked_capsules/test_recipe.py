"""What the options of learning make of an optimizer."""

from discovery.training.optimizers import Adam, RMSProp
from stacked_capsules.learning_options import SCAETraining
from stacked_capsules.recipe import recipe
from tests.stacked_capsules.small_models import small_constellation


def test_the_optimizer_is_what_the_options_say():
    model = small_constellation()
    optimizers = [
        recipe(model, SCAETraining(**options), batch_size=10).optimizer
        for options in ({}, {"rmsprop_start": 0.0}, {"optimizer": "adam"})
    ]
    assert optimizers == [RMSProp(epsilon=1e-4), RMSProp(epsilon=1e-4, start=0.0), Adam()]
