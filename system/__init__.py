"""What every package uses: errors, settings, the clock, files, processes and progress."""
