"""omni_agent: agents that see, hear, speak, act and remember, on your own machine."""
