"""The worklist of the server: its rows, its panel, and the next cases fetched ahead."""
