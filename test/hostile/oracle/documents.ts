import { webcrypto } from "node:crypto";
import { auditBundleSchema, incompleteSessionSchema, type AuditEntry, type Receipt } from "@cmcp/audit/schema";
import { claimSchema } from "@cmcp/claim/schema";
import { canonicalText } from "@cmcp/boundary";
import { verifyBundle, verifyClaim, verifyIncomplete, type Verdict } from "@cmcp/verify";
import { EAT_PROFILE_V02 } from "@cmcp/launch";
import { preset } from "@cmcp/appraise";
import type { Find } from "./finding.ts";
import type { RecordOracle } from "./record.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const receiptBytes = (receipt: Receipt): Uint8Array => bytes(JSON.stringify(receipt));

/** What agents hold of one session. */
export interface Held {
  readonly session: string;
  readonly receipts: readonly Receipt[];
  readonly claims: readonly string[];
}

function failures({ outcome, checks }: Verdict): string {
  return `${outcome}: ${checks
    .filter(({ status }) => status === "failed")
    .map(({ name, code }) => `${name} ${code ?? ""}`)
    .join("; ")}`;
}

/** The instance that wrote a session, and its key. */
function writerOf(record: RecordOracle, session: string): { readonly name: string; readonly x: string } | null {
  const name = record.sessions.get(session)?.[0]?.detail?.["instance"];
  const instance = typeof name === "string" ? record.instances.get(name) : undefined;
  return instance === undefined ? null : { name: String(name), x: instance.x };
}

/** Whether entries that somebody was given are the first ones that the enclave wrote. */
function areWritten(entries: readonly AuditEntry[], written: readonly AuditEntry[]): boolean {
  return entries.every((entry, index) => {
    const own = written[index];
    return own !== undefined && canonicalText(entry) === canonicalText(own);
  });
}

/** Holds a claim that an agent was given to the record, and to every other that was given. */
export async function checkClaim(
  text: string,
  held: Held,
  bundle: string | null,
  oracle: { readonly record: RecordOracle; readonly find: Find },
): Promise<void> {
  const { record, find } = oracle;
  const parsed = claimSchema.safeParse(JSON.parse(text));
  if (!parsed.success) return find("claim", `a claim of another form: ${text.slice(0, 120)}`);
  const claim = parsed.data;
  const writer = writerOf(record, held.session);
  const known = record.instances
    .get(writer?.name ?? "")
    ?.claims.some(({ claim: written }) => canonicalText(written) === canonicalText(claim));
  if (writer === null || known !== true) return find("claim", "a claim was given out that never went to the store");
  const verdict = await verifyClaim(
    {
      claim: bytes(text),
      ...(bundle === null ? {} : { bundle: bytes(bundle) }),
      receipts: bundle === null ? [] : held.receipts.map(receiptBytes),
      heldClaims: held.claims.filter((other) => bundle !== null && other !== text).map(bytes),
    },
    {
      now: new Date(claim.trace.iat * 1000),
      eatProfile: EAT_PROFILE_V02,
      allowSoftwareOnly: true,
      appraisal: preset("strict"),
      trustedKey: writer.x,
    },
    webcrypto,
  );
  if (verdict.outcome !== "accepted") find("claim", `a claim is ${failures(verdict)}`);
}

/** Holds an export that an agent was given to the record. */
export async function checkExport(
  text: string,
  held: Held,
  oracle: { readonly record: RecordOracle; readonly find: Find },
): Promise<void> {
  const { record, find } = oracle;
  const value: unknown = JSON.parse(text);
  const whole = auditBundleSchema.safeParse(value);
  const left = incompleteSessionSchema.safeParse(value);
  const entries = whole.data?.entries ?? left.data?.entries;
  const writer = writerOf(record, held.session);
  if (entries === undefined || writer === null)
    return find("claim", `an export of another form: ${text.slice(0, 120)}`);
  if (!areWritten(entries, record.sessions.get(held.session) ?? []))
    return find("claim", "an export holds entries that the enclave did not write there");
  const receipts = held.receipts.filter(({ sequence_number: number }) => number < entries.length);
  for (const { sequence_number: number, entry_hash: hash } of receipts)
    if (entries[number]?.entry_hash !== hash) find("claim", `receipt ${number} speaks of another entry than an export`);
  // What nothing signs yet is what the enclave wrote, and a verifier is told that nothing signs it.
  if (left.success && left.data.receipts.length === 0) return;
  // The instance that answers for an interrupted session is the one that found it.
  const answers = whole.success ? writer.x : ([...record.instances.values()].at(-1)?.x ?? "");
  const expected = { trustedKey: answers, allowSoftwareOnly: true };
  const judge = (some: readonly Receipt[]): Promise<Verdict> =>
    whole.success
      ? verifyBundle({ bundle: bytes(text), receipts: some.map(receiptBytes) }, expected, webcrypto)
      : verifyIncomplete({ export: bytes(text), receipts: some.map(receiptBytes) }, expected, webcrypto);
  const verdict = await judge(receipts);
  if (verdict.outcome !== "accepted") find("claim", `an export is ${failures(verdict)}`);
  // An end that the host cut off is found by the receipt of what was there.
  if (receipts.length < held.receipts.length && (await judge(held.receipts)).outcome !== "rejected")
    find("claim", "an export is accepted beside a receipt of what it leaves out");
}
