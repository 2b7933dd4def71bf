"""charmill compared with what a user would choose in its place, at equal cost."""
