"""What turns words (and later voices and faces) into vectors."""
