import assert from "node:assert/strict";
import { randomBytes, webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import {
  LAUNCH_REGISTER as VERIFIED_REGISTER,
  launchRegisterValue,
} from "../../../appraise/src/tpm/launch-register.ts";
import { LAUNCH_REGISTER, launchRegister } from "./launch-register.ts";

test("the launch document's PCR is the one the verifier looks for, with the value it expects", async () => {
  assert.equal(LAUNCH_REGISTER, VERIFIED_REGISTER);
  const digest = randomBytes(32);
  for (const bank of ["sha256", "sha384"] as const)
    assert.equal(launchRegister(bank, digest), toHex(await launchRegisterValue(webcrypto, bank, digest)));
  assert.throws(() => launchRegister("sha384", randomBytes(48)), { code: "MEASURE_INPUT_INVALID" });
});
