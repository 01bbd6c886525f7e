"""Remarks: what a person wants to know although nothing is wrong; shown as warnings are, but for ``--quiet``."""

import logging

remarks = logging.getLogger("edgevision.remarks")
