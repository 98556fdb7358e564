"""Calls of several people, composed of drawn faces and made voices: no photograph, no recording."""
