"""Qwen2.5-Omni: one model that hears, sees, thinks and speaks, in PyTorch.

The modules are transformers' own; the loop, the caches, the positions, the windows of speech and
the sampling are here. Nothing in this folder is imported before such a model is asked for.
"""
