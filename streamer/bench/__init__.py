"""``streamer bench``: what a record costs here, measured as ratios in one run.

``cost`` times the stages of a record against a floor; ``memory`` fills many endpoints;
``hostile`` throws mutated captures at the engine and checks that every one is accounted for.
"""
