"""Where to eat and drink: places, who knows them, opening hours, ranking, and the guide's tools."""
