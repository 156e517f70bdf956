"""Users: who may sign in."""
