import type { CheckRecorder } from "./check.ts";
import type { VerifierCrypto } from "./crypto.ts";

/** What a check that hashes or verifies works with: the platform's cryptography, and where its finding goes. */
export interface Checking {
  readonly crypto: VerifierCrypto;
  readonly recorder: CheckRecorder;
}
