"""Colours of levels and methods as CSS variables, which serve light, dark and print."""

VIRIDIS = ("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725")
LIGHT_SPAN, DARK_SPAN = (0.02, 0.80), (0.34, 1.0)  # the ends of viridis that stand out from the page
OKABE_ITO_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c98500", "#3fa0d8", "#857a00", "#5c5c66")
OKABE_ITO_DARK = ("#4aa8e0", "#f0834a", "#2cc79b", "#e39cc5", "#e9b03c", "#8fd0f5", "#f0e442", "#b9bac4")


def viridis(position: float) -> str:
    """Return the viridis colour (van der Walt and Smith 2015) at a position in [0, 1] as ``#rrggbb``."""
    place = min(max(position, 0.0), 1.0) * (len(VIRIDIS) - 1)
    left = min(int(place), len(VIRIDIS) - 2)
    share = place - left
    pairs = [(int(VIRIDIS[left][i : i + 2], 16), int(VIRIDIS[left + 1][i : i + 2], 16)) for i in (0, 2, 4)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def palette(n_levels: int, dark: bool) -> dict[str, str]:
    """Return CSS variables ``--level-0…`` (sequential) and ``--method-0…`` (Okabe and Ito 2008, tuned to
    the page)."""
    low, high = DARK_SPAN if dark else LIGHT_SPAN
    places = [low + (high - low) * index / max(n_levels - 1, 1) for index in range(n_levels)]
    levels = {f"--level-{index}": viridis(place) for index, place in enumerate(places)}
    methods = OKABE_ITO_DARK if dark else OKABE_ITO_LIGHT
    return {**levels, **{f"--method-{index}": colour for index, colour in enumerate(methods)}}


def level_colours(n: int) -> list[str]:
    """Return the n level colours as references to CSS variables."""
    return [f"var(--level-{index})" for index in range(n)]


def method_colours(n: int) -> list[str]:
    """Return n method colours as references to CSS variables; they repeat after eight."""
    return [f"var(--method-{index % len(OKABE_ITO_LIGHT)})" for index in range(n)]
