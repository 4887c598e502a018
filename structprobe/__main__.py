"""Run the command line as ``python -m structprobe``."""

import sys

from structprobe.cli.main import main

sys.exit(main())
