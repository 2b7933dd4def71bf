"""Errors of this package that the user can fix.

CharmillError
└── ModelingError
    ├── ConfigError         a setting or a budget with a name or value that is not allowed
    ├── DeviceError         a device or precision that this machine does not have
    ├── TextError           too little text for one chunk, or for every process
    ├── CapacityError       a batch that does not fit in the memory of the device
    ├── DivergenceError     a training whose loss became infinite or NaN twice
    ├── CheckpointError     a checkpoint or a set of weights that belongs to another training
    ├── ModelFileError      a folder that does not hold a complete model
    ├── SamplingError       a prompt or a sampling setting that the model cannot use
    └── MissingPackageError an optional package that is not installed
"""

from system.errors import CharmillError


class ModelingError(CharmillError):
    """Root of the errors of this package."""


class ConfigError(ModelingError, ValueError):
    """A setting or a budget is not allowed.

    Also a ValueError, because pydantic reports only those as faults of a field.
    """


class DeviceError(ModelingError):
    """A device or a precision is not available on this machine."""


class TextError(ModelingError):
    """There is too little text to train on."""


class CapacityError(ModelingError):
    """A batch does not fit in the memory of the device."""


class DivergenceError(ModelingError):
    """The loss became infinite or NaN, at half the learning rate too."""


class CheckpointError(ModelingError):
    """A checkpoint or a set of weights belongs to another training or shape of model."""


class ModelFileError(ModelingError):
    """A folder does not hold a complete model."""


class SamplingError(ModelingError):
    """A prompt or a sampling setting cannot be used."""


class MissingPackageError(ModelingError):
    """An optional package is not installed."""
