"""What posts about character-level networks claim, each tested with figures and intervals."""
