import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SessionRecords } from "./composed-host.ts";
import type { Target } from "./target.ts";
import { enrolled, unknownKey, verified, type Claimed, type Judgement } from "./verifying.ts";

/** Judges a session's records with some of the files replaced, as `cmcp verify` does. */
export type Judge = (change?: Partial<Claimed>) => Promise<Judgement>;

/** A relying party that has a session's records, the image's measurements, and the machine's TPM enrolled. */
export async function relyingParty({ measurements }: Target, records: SessionRecords, folder: string): Promise<Judge> {
  const given: Claimed = { ...records, measurements, policy: "vtpm" };
  const policy = join(folder, "appraisal-policy.json");
  await writeFile(policy, enrolled(unknownKey(await verified(given)), measurements !== null));
  return async (change = {}) => await verified({ ...given, policy, ...change });
}
