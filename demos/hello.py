"""An agent with a tool, asked a question: python demos/hello.py"""

from omni_agent import Agent, tool


@tool(examples=[("Any sushi near here?", {"dish": "sushi"})])
def find_dish(dish: str) -> str:
    """Find places that serve a dish."""
    return f"Two places serve {dish}: Aoi, 300 metres ahead, and Kaze, round the corner."


with Agent("You are brief and kind.", tools=[find_dish]) as agent:
    print(agent.ask_sync("Where can I get sushi?").text)
