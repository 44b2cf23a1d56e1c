import assert from "node:assert/strict";
import { test } from "node:test";
import { requireCommandSize, tpmUnavailable } from "./transport.ts";

test("a TPM that cannot be asked says why, with its cause where there is one", () => {
  const bare = tpmUnavailable("is away");
  assert.deepEqual(
    [bare.code, bare.message, "cause" in bare],
    ["ATTESTATION_REPORT_UNAVAILABLE", "the TPM is away", false],
  );
  const cause = new Error("EIO");
  assert.equal(tpmUnavailable("is away", cause).cause, cause);
});

test("a command has 10 to 4096 bytes", () => {
  for (const length of [10, 4096]) requireCommandSize(new Uint8Array(length));
  for (const length of [0, 9, 4097])
    assert.throws(() => requireCommandSize(new Uint8Array(length)), { message: /commands of 10 to 4096 bytes/ });
});
