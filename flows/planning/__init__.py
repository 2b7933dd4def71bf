"""Before anything runs: the plan and its reasons, the forecast, models to start from."""
