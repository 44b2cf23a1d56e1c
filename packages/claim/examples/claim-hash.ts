import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { claimHash, claimSchema } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
assert.equal(claimHash(claim), "sha256:41faa21704afa85f026ee4e89a7e80313e1276a886573881af3504e554d22644");
