"""How runs end that do not finish: stopped by their user, or killed without a trace."""
