"""The five stages, and the devices and processes they run on."""
