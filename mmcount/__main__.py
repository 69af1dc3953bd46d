"""``python -m mmcount`` is the command ``mmcount``."""

from mmcount.cli.main import main

if __name__ == '__main__':
    main()
