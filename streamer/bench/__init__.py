"""``streamer bench``: what a record costs here, measured as ratios in one run.

``cost`` times the stages of a record against a floor; ``memory`` fills many endpoints;
``hostile`` throws mutated captures at the engine and checks that every one is accounted for;
``fetch`` compares reading from Kinesis with the stock SDK.

``latency``, ``callbacks``, ``service`` and ``steady`` measure the running service, the first three
on an emulated stream in a process of its own: seconds to an alert, how long the event loop is held,
CPU against a replay of the same records, and memory over millions of them.
"""
