"""What goes wrong with databases, done to real ones."""
