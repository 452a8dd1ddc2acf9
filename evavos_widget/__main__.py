"""`python -m evavos_widget` is `evavos`."""

import sys

from evavos_widget.cli import main

sys.exit(main())
