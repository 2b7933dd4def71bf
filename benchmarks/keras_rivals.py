"""Keras as the old posts used it: windows of 80 characters, one prediction for each.

Measured where this interpreter can import it, with tensorflow or with torch beneath. `size` is that
of the vocabulary.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

KERAS = importlib.util.find_spec("keras") is not None
WINDOW = 80

Work = Callable[[], int]
"""Does some work; the number of characters that it made, trained or scored."""


def _model(layers: int, hidden: int, size: int, *, every: bool, dtype: str = "float32") -> Any:
    """One-hot windows of 80, LSTMs, softmax; `every` character predicted, or the last one."""
    keras: Any = importlib.import_module("keras")
    model = keras.Sequential([keras.Input((WINDOW, size))])
    for layer in range(layers):
        whole = every or layer + 1 < layers
        model.add(keras.layers.LSTM(hidden, return_sequences=whole, dtype=dtype))
    model.add(keras.layers.Dense(size, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    return model


def _windows(count: int, size: int) -> np.ndarray:
    """Windows of 80 characters and the next one, (count, 81, size)."""
    ids = np.random.default_rng(0).integers(0, size, (count, WINDOW + 1))
    return np.eye(size, dtype=np.float32)[ids]


def keras_recipe(
    layers: int, hidden: int, size: int, *, targets: str, dtype: str = "float32"
) -> Work:
    """The recipe of the posts, RMSprop on 128 windows; the "last" target or "all" of them."""
    every = targets == "all"
    model = _model(layers, hidden, size, every=every, dtype=dtype)

    def update() -> int:
        hot = _windows(128, size)
        model.train_on_batch(hot[:, :-1], hot[:, 1:] if every else hot[:, -1])
        return 128 * (WINDOW if every else 1)

    return update


def keras_predictions(layers: int, hidden: int, size: int, count: int) -> Work:
    """A prediction for each of `count` windows: 1 to sample, many to score."""
    model = _model(layers, hidden, size, every=False)

    def predict() -> int:
        model.predict(_windows(count, size)[:, :-1], batch_size=128, verbose=0)
        return count

    return predict
