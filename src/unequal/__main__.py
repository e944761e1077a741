"""Entry point of ``python -m unequal``, used by launchers such as ``accelerate launch -m``."""

from unequal.cli.app import main

if __name__ == "__main__":
    main()
