"""What connects a live call to the world: devices of this machine, or files."""
