"""`python -m shop`, where the command `shop` is not installed."""

import sys

from shop.main import main

sys.exit(main())
