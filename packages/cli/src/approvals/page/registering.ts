import { randomBytes } from "node:crypto";
import { approverSchema, assertionSchema, verifyAssertion, type Approver, type Passkey } from "@cmcp/approval";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError, isJsonObject, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import type { PageApi } from "./local-page.ts";

/** Name that passkeys of this page are bound to. */
const RP_ID = "localhost";
const CHALLENGE_BYTES = 32;
const KEY_LIMITS = { maxBytes: 1024, maxDepth: 2, maxItems: 4 };
/** Client data of 1024 bytes, authenticator data of 256 and a signature of 72, in base64url and with their names. */
const TEST_LIMITS = { maxBytes: 2048, maxDepth: 3, maxItems: 12 };

/** A page that makes a passkey for an approver, has it sign once, and says which lines of the configuration name it. */
export interface Registering {
  readonly api: PageApi;
  /** The approver as the configuration lists it. @throws CmcpError `APPROVAL_PASSKEY_INVALID` where its passkey did not sign */
  readonly registered: Promise<Approver>;
}

/** A passkey that has yet to sign the challenge, which is base64url. */
interface Untested {
  readonly passkey: Passkey;
  readonly challenge: string;
}

/**
 * The first test ends the registration, whatever comes of it: the same challenge is never signed twice.
 * @param origin of the page: answers are taken from there alone
 */
export function registering(id: string, origin: string): Registering {
  const { promise, resolve, reject } = Promise.withResolvers<Approver>();
  let untested: Untested | null = null;
  let isTested = false;
  const api: PageApi = async ({ method, path, body }) => {
    switch (`${method} ${path}`) {
      case "GET state":
        return await Promise.resolve({ page: "register", approver: id });
      case "POST passkey": {
        if (isTested) throw refused("another passkey was tested already");
        untested = { passkey: passkeyOf(body, origin), challenge: randomBytes(CHALLENGE_BYTES).toString("base64url") };
        return { challenge: untested.challenge };
      }
      case "POST test": {
        if (untested === null || isTested) throw refused("no passkey waits for its test");
        isTested = true;
        const { passkey } = untested;
        try {
          await verifyTest(body, untested);
        } catch (thrown) {
          reject(thrown);
          throw thrown;
        }
        const approver: Approver = { id, passkey };
        resolve(approver);
        return { lines: configurationLines(approver) };
      }
      default:
        return null;
    }
  };
  return { api, registered: promise };
}

/** The lines of `cmcp-config.yaml` that list an approver. */
export function configurationLines(approver: Approver): string {
  return `enclave:\n  approvers:\n    - ${JSON.stringify(approver)}\n`;
}

function passkeyOf(body: Uint8Array, origin: string): Passkey {
  const public_key = memberOf(parseJson(untrusted(body), KEY_LIMITS), "public_key");
  const read = approverSchema.safeParse({ id: "approver", passkey: { public_key, rp_id: RP_ID, origins: [origin] } });
  if (!read.success || !("passkey" in read.data))
    throw new CmcpError("APPROVAL_MALFORMED", "the passkey's key is neither of P-256 nor of Ed25519");
  return read.data.passkey;
}

/** @throws CmcpError `APPROVAL_PASSKEY_INVALID` */
async function verifyTest(body: Uint8Array, { passkey, challenge }: Untested): Promise<void> {
  const value = testOf(body);
  if (value === null) throw refused("it was not used, or could not verify that it is you");
  const read = assertionSchema.safeParse(value);
  if (!read.success) throw refused("what it gave is no assertion");
  try {
    await verifyAssertion(nodeCrypto, passkey, { assertion: read.data, challenge });
  } catch (thrown) {
    throw refused("what it signed does not verify", thrown);
  }
}

/** `null` where the person or the browser refused to sign. */
function testOf(body: Uint8Array): JsonValue | undefined {
  try {
    return memberOf(parseJson(untrusted(body), TEST_LIMITS), "assertion");
  } catch {
    return undefined;
  }
}

function memberOf(value: JsonValue, name: string): JsonValue | undefined {
  return isJsonObject(value) ? value[name] : undefined;
}

function refused(why: string, cause?: unknown): CmcpError {
  const detail = cause instanceof CmcpError ? { detail: cause.detail } : {};
  return new CmcpError("APPROVAL_PASSKEY_INVALID", `the passkey did not sign the test: ${why}`, { cause, ...detail });
}
