"""How hard is knowledge to remove from a language model, given how often it was seen, and is it gone?"""

__version__ = "0.1.0"
