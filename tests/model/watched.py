"""Trainings to look into: what happened in them, and what they left."""

import torch

from model.run_folder import fold_folder, load_tensors, weights_path
from model.training.callbacks.events import Callback


class Witness(Callback):
    """Writes down what training does, and may stop it."""

    def __init__(self, stop_after=None, every_step=False):
        self.every_step = every_step
        self.stop_after = stop_after
        self.rates, self.encoders, self.networks = [], [], []

    def on_step_end(self, trainer):
        if self.every_step:
            self.networks.append({name: tensor.clone() for name, tensor in trainer.network.state_dict().items()})
        self.rates.append([group["lr"] for group in trainer.optimizer.param_groups])

    def on_epoch_end(self, trainer):
        states = trainer.network.encoder.transformer.state_dict()
        self.encoders.append({name: tensor.clone() for name, tensor in states.items()})
        if trainer.state.epoch == self.stop_after:
            raise KeyboardInterrupt


def weights(config, select="last", fold=0):
    """What a fold saved."""
    return load_tensors(weights_path(fold_folder(config.run_folder, fold), select))


def equal(left, right):
    """Of two sets of tensors, bit for bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
