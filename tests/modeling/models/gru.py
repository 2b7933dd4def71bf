"""A second architecture: this file, and a line in MODELS."""

import torch
from torch import nn

from modeling.models.model import CharModel


class CharGRU(CharModel):
    state_names = ("hidden", "before")

    def make_layers(self):
        for index in range(self.config.num_layers):
            width = self.config.hidden_size if index else self.config.embedding_size
            yield nn.GRU(width, self.config.hidden_size)

    def read(self, values, state):
        (hidden,) = state
        after = []
        for index, layer in enumerate(self.layers):
            inputs = self.dropout(values) if index else values
            outputs, last = layer(inputs, hidden[index : index + 1])
            values = values + outputs if self.config.skip and index else outputs
            after.append(last)
        return values, (torch.cat(after),)
