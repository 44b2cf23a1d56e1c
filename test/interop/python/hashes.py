"""Prints, as JSON, the hash the Python runtime computes for every example's policy bundle and catalog."""

import json
import logging
import sys
from pathlib import Path

from cmcp_runtime.catalog.loader import load_catalog
from cmcp_runtime.policy.bundle import load_policy_bundle

logging.disable(logging.CRITICAL)
found = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    if (folder / "policies" / "manifest.json").exists() and (folder / "catalog.json").exists():
        found[folder.name] = {
            "policy": load_policy_bundle(str(folder / "policies")).bundle_hash,
            "catalog": load_catalog(str(folder / "catalog.json")).catalog_hash,
        }
print(json.dumps(found))
