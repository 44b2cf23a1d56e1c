import { createHash } from "node:crypto";
import { ALGORITHM, COMMAND, HANDLE } from "./codes.ts";
import { encodeSelection, type PcrSelection } from "./pcr.ts";
import type { Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** TPM_SE_POLICY (part 2, section 6.11). */
const POLICY_SESSION = 1;
/** Bytes of a session's first nonce. */
const NONCE_BYTES = 16;

/** SHA-256 over register values in the order of their indices, as quotes and PCR policies take it (part 1, section 17.6). */
export function pcrDigest(values: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const hash = createHash("sha256");
  for (const register of [...values.keys()].toSorted((a, b) => a - b))
    hash.update(values.get(register) ?? new Uint8Array());
  return hash.digest();
}

/** Policy digest that TPM2_PolicyPCR alone gives (part 3, section 23.7): H(32 zero bytes ‖ command code ‖ selection ‖ PCR digest). */
export function pcrPolicyDigest(selection: PcrSelection, digest: Uint8Array): Uint8Array {
  const message = new CommandWriter()
    .bytes(new Uint8Array(32))
    .u32(COMMAND.policyPcr)
    .bytes(encodeSelection(selection))
    .bytes(digest)
    .done();
  return createHash("sha256").update(message).digest();
}

/** Opens a policy session with SHA-256 and no keys of its own; its handle must be flushed (TPM2_StartAuthSession, part 3, section 11.1). */
export async function startPolicySession(tpm: Tpm): Promise<number> {
  const parameters = new CommandWriter()
    .sized(new Uint8Array(NONCE_BYTES))
    .u16(0)
    .u8(POLICY_SESSION)
    .u16(ALGORITHM.null)
    .u16(ALGORITHM.sha256)
    .done();
  return (
    await tpm.run({
      name: "TPM2_StartAuthSession",
      code: COMMAND.startAuthSession,
      handles: [HANDLE.null, HANDLE.null],
      parameters,
      makesHandle: true,
    })
  ).handle;
}

/** Adds "these registers are as they are now" to a policy session (TPM2_PolicyPCR). */
export async function policyPcr(tpm: Tpm, session: number, selection: PcrSelection): Promise<void> {
  const parameters = new CommandWriter().u16(0).bytes(encodeSelection(selection)).done();
  await tpm.run({ name: "TPM2_PolicyPCR", code: COMMAND.policyPcr, handles: [session], parameters });
}
