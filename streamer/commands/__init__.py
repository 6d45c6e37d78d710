"""Commands: one file each; libraries are loaded inside them, so that help is there at once."""
