import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { claimHash, claimSchema } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
assert.equal(claimHash(claim), "sha256:d27ec6e91316f3a0e44b4ba651682a1ba8b2870e04773a2af4dcbf95b034390e");
