"""``python -m unequal``, which is how launchers such as ``accelerate launch -m`` start the command line."""

from unequal.cli.app import main

if __name__ == "__main__":
    main()
