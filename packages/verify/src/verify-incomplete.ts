import { asCmcpError, CmcpError, parseJson, untrusted } from "@cmcp/boundary";
import { incompleteSessionSchema, type IncompleteSession } from "@cmcp/audit/schema";
import { deriveChain } from "./bundle/chain.ts";
import { Checklist } from "./checklist.ts";
import type { VerifierCrypto } from "./crypto.ts";
import type { Expectations } from "./expectations.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import type { Verdict } from "./verdict.ts";

const LIMITS = { maxBytes: 512 * 1024 * 1024, maxDepth: 8, maxItems: 20_000_000 };

/** @throws CmcpError `BUNDLE_MALFORMED` */
function parse(bytes: Uint8Array): IncompleteSession {
  const parsed = incompleteSessionSchema.safeParse(parseJson(untrusted(bytes), LIMITS));
  if (parsed.success) return parsed.data;
  throw new CmcpError("BUNDLE_MALFORMED", `the export does not have the documented form at ${parsed.error.issues[0]?.path.map(String).join(".") || "its top"}`);
}

/**
 * Verifies what is left of a session that a crash interrupted: entries and receipts under the dead
 * instance's key. There is no claim, so nothing but a pinned key says whose instance it was, and what came
 * after the last receipt is not proven.
 */
export async function verifyIncomplete(bytes: Uint8Array, expected: Pick<Expectations, "trustedKey" | "allowSoftwareOnly">, crypto: VerifierCrypto): Promise<Verdict> {
  const list = new Checklist();
  let session: IncompleteSession | null = null;
  try {
    session = parse(bytes);
  } catch (thrown) {
    list.fail("export form", "BUNDLE_MALFORMED", asCmcpError(thrown, "BUNDLE_MALFORMED", "unreadable").message);
  }
  if (session !== null) await checkSession(crypto, session, expected, list);
  const outcome = list.outcome();
  return {
    outcome,
    completeness: session === null ? "unknown" : "incomplete",
    assurance: outcome === "accepted" ? "functional only" : "none established",
    session: session?.session_id ?? null,
    signingKey: session?.signing_key.x ?? null,
    checks: list.checks,
  };
}

async function checkSession(crypto: VerifierCrypto, session: IncompleteSession, expected: Pick<Expectations, "trustedKey" | "allowSoftwareOnly">, list: Checklist): Promise<void> {
  const chain = await deriveChain(crypto, session.session_id, session.entries);
  list.require("audit chain", chain.ok, "CHAIN_BROKEN", `${session.entries.length} entries, every hash derived again`, chain.ok ? "" : chain.why);
  for (const receipt of session.receipts) await checkReceipt(crypto, receipt, { jwk: session.signing_key, session: session.session_id, entries: session.entries }, list);
  const calls = session.entries.filter((entry) => entry.entry_type === "tool_call").length;
  list.require("a receipt for every call", session.receipts.length === calls, "RECEIPT_INVALID", `${calls} calls, each with its receipt`, "a call has no receipt, or a receipt no call");
  if (expected.trustedKey === undefined) list.notPerformed("trusted key", "no key was pinned (--trusted-key): whose instance this was is not shown");
  else list.require("trusted key", session.signing_key.x === expected.trustedKey, "SIGNATURE_INVALID", "the instance's key is the pinned one", "another instance's key than the pinned one");
  list.notApplicable("claim", "an interrupted session has none");
  list.require("software-only accepted", expected.allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", "explicitly accepted for this verification", "a record without hardware evidence is not accepted unless asked for");
}
