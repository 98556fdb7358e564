"""The demo's page: Gradio blocks around plain ES modules, and the app that serves them."""
