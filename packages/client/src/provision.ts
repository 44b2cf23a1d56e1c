import {
  canonicalBytes,
  CmcpError,
  fromBase64Url,
  isJsonObject,
  parseJson,
  receivedError,
  toBase64Url,
  toHex,
  untrusted,
  type JsonObject,
} from "@cmcp/boundary";
import {
  readReceipt,
  receiptInput,
  sealStatement,
  type ProvisioningKey,
  type ProvisionReceipt,
  type SignedReceipt,
  type StatementMessage,
  type StorageKey,
} from "@cmcp/provision";
import type { InstanceExpectations, InstanceVerdict, VerifierCrypto } from "@cmcp/verify";
import { collect } from "./bytes.ts";
import { base, ConnectedInstance } from "./instance.ts";

/** Largest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** How long before now a statement is valid from, in seconds: an enclave's clock may be behind. */
const BEFORE_SECONDS = 5 * 60;
/** How long it is valid from now on, in seconds. */
const VALID_SECONDS = 10 * 60;

/**
 * Everything an enclave is given: hashes of bearer tokens, and credentials of tool servers. What is not named is gone. With a
 * `storage_key`, base64url of 32 bytes, the log has the set as ciphertext. The key alone brings that set back
 * after a restart; `provision_hash` says which, as the receipt of the provisioning that gave it does.
 */
export type Secrets = Omit<Exclude<StatementMessage, StorageKey>, "v" | "tokenless"> | Omit<StorageKey, "v">;

/** What {@link provision} takes beside the gateway, what is expected of it, and the secrets. */
export interface ProvisionOptions {
  /** A key of `enclave.provisioning_keys`. */
  readonly signer: ProvisioningKey;
  readonly crypto: VerifierCrypto;
  /** Higher than in any statement before; milliseconds since 1970 by default. */
  readonly sequence?: number;
  /** What carries requests to the host; the platform's by default. */
  readonly fetch?: typeof globalThis.fetch;
}

/** An enclave that has the secrets. */
export interface Provisioned {
  /** What the enclave showed. It is accepted. */
  readonly verdict: InstanceVerdict;
  /** What it says of the statement. Its signature is verified. */
  readonly receipt: ProvisionReceipt;
}

/**
 * Verifies a gateway's enclave, gives it secrets that nobody else can open, and checks its receipt. Nothing is sent to an enclave that is
 * not accepted.
 *
 * @param gateway the gateway's base URL
 * @param expected what the enclave must be; `trustedKey` pins one instance
 * @throws CmcpError `INSTANCE_NOT_ACCEPTED` with the checks that failed; the enclave's refusal; `PROVISION_NOT_CONFIRMED` for an answer
 *   that is no receipt of this enclave's for this statement; `GATEWAY_ANSWER_INVALID`, `SEAL_SUITE_UNSUPPORTED`, `CONFIG_INVALID`
 */
export async function provision(
  gateway: URL,
  expected: Omit<InstanceExpectations, "now" | "nonce">,
  secrets: Secrets,
  { signer, crypto, sequence = Date.now(), fetch = globalThis.fetch }: ProvisionOptions,
): Promise<Provisioned> {
  const now = new Date();
  const clock = { now: () => now, monotonic: () => performance.now() };
  const verified = await ConnectedInstance.verify(gateway, expected, { crypto, fetch, ...clock });
  const { verdict, signingKey: signing } = verified;
  const recipient = await verified.key();
  if (verdict.binding === null) throw new CmcpError("INTERNAL", "an accepted instance has a binding");
  const jwk = { crv: "Ed25519", kty: "OKP", x: signing };
  const instance = toBase64Url(await sha256(crypto, canonicalBytes(jwk)));
  const seconds = Math.floor(now.getTime() / 1000);
  const statement = sealStatement(
    { v: 1, ...secrets },
    {
      launch_digest: verdict.binding.launch_digest,
      instance,
      sequence,
      not_before: Math.max(0, seconds - BEFORE_SECONDS),
      expires: seconds + VALID_SECONDS,
    },
    { recipient, signer },
  );
  const signed = await post(new URL("statements", base(gateway)), statement, fetch);
  const { receipt } = signed;
  const confirmed =
    receipt.statement === `sha256:${toHex(await sha256(crypto, statement))}` &&
    receipt.instance === instance &&
    (await verifies(crypto, signing, signed));
  if (!confirmed) throw notConfirmed("the receipt is not this enclave's for this statement");
  return { verdict, receipt };
}

/** Posts a statement. @throws CmcpError the enclave's refusal as the host passes it on; `PROVISION_NOT_CONFIRMED` */
async function post(
  url: URL,
  statement: Uint8Array<ArrayBuffer>,
  fetch: typeof globalThis.fetch,
): Promise<SignedReceipt> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: statement, redirect: "error" });
  const said = await contentOf(answer);
  if (answer.status !== 200)
    throw receivedError(said) ?? notConfirmed(`the host answered ${answer.status} in place of the enclave`);
  try {
    return readReceipt(said);
  } catch (thrown) {
    throw notConfirmed("the answer is no receipt", thrown);
  }
}

async function contentOf({ body }: Response): Promise<JsonObject> {
  const bytes = body === null ? null : await collect(body, MAX_ANSWER_BYTES);
  try {
    const value =
      bytes === null ? null : parseJson(untrusted(bytes), { maxBytes: MAX_ANSWER_BYTES, maxDepth: 8, maxItems: 1_000 });
    if (isJsonObject(value)) return value;
  } catch (thrown) {
    throw notConfirmed("the answer is not JSON", thrown);
  }
  throw notConfirmed("the answer is no JSON object, or too large");
}

function notConfirmed(why: string, cause?: unknown): CmcpError {
  return new CmcpError("PROVISION_NOT_CONFIRMED", `the enclave did not confirm the statement: ${why}`, { cause });
}

async function sha256({ subtle }: VerifierCrypto, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await subtle.digest("SHA-256", bytes));
}

async function verifies(
  { subtle }: VerifierCrypto,
  x: string,
  { receipt, signature }: SignedReceipt,
): Promise<boolean> {
  const [key, signed] = [fromBase64Url(x), fromBase64Url(signature)];
  if (key === undefined || signed === undefined) return false;
  const imported = await subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  return await subtle.verify("Ed25519", imported, signed, receiptInput(receipt));
}
