import {
  ACCESS_FORMAT,
  accessSigningInput,
  ANSWER_FORMAT,
  answerSigningInput,
  ID_BYTES,
  isSignedBy,
  MAX_REQUEST_BYTES,
  outputHash,
  permissionSigningInput,
  readRequest,
  recipientOf,
  requestHash,
  SALT_BYTES,
  sourceScopeOf,
  type ApprovalAccess,
  type ApprovalAnswer,
  type ApprovalRequest,
  type DisclosurePermission,
  type SignedAccess,
  type SignedAnswer,
  type SignedPermission,
} from "@cmcp/approval";
import {
  canonicalBytes,
  CmcpError,
  isJsonObject,
  parseJson,
  receivedError,
  toBase64Url,
  toHex,
  untrusted,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import type { InstanceVerdict, VerifierCrypto } from "@cmcp/verify";
import { collect } from "./bytes.ts";
import { base, ConnectedInstance, type Expected } from "./instance.ts";
import { exchangeSealed } from "./sealed-exchange.ts";

/** Largest list that is read, in bytes. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** Who approves: a name of `enclave.approvers`, and its Ed25519 key. */
export interface ApproverKey {
  readonly id: string;
  /** Signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** What reaching an enclave takes beside the gateway and what is expected of it. */
export interface ApprovalsPorts {
  readonly crypto: VerifierCrypto;
  /** What carries requests to the host; the platform's by default. */
  readonly fetch?: typeof globalThis.fetch;
}

/** What {@link approvals} takes beside the gateway and what is expected of it. */
export interface ApprovalsOptions extends ApprovalsPorts {
  readonly approver: ApproverKey;
  /** Random bytes; the platform's by default. */
  readonly random?: (length: number) => Uint8Array;
}

/** One request whose signature verified under the key of the instance that was appraised. */
export interface VerifiedRequest {
  readonly request: ApprovalRequest;
  /** Digest of the request: what an answer names. */
  readonly hash: string;
}

/** What the enclave says of an answer that it recorded. */
export interface RecordedAnswer {
  /** `waiting` for others, `approved`, `denied`, or `gone`: it had expired when the answer was recorded. */
  readonly state: string;
  readonly approvals: number | null;
  readonly needed: number;
}

/** One call that an owner permits in advance. */
export interface PermittedCall {
  /** The agent's principal. */
  readonly principal: string;
  /** Identity of the server, and the tool, that get the arguments. */
  readonly server: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  /** The call's workflow. */
  readonly purpose: string;
  /** The rule that refuses it. */
  readonly rule: string;
  /** Every compartment that the session may have seen; `public` where it is none. */
  readonly labels: readonly string[];
  /** Hash of the policy in force. */
  readonly policyHash: string;
  /** Seconds since the epoch, at most a day apart. */
  readonly notBefore: number;
  readonly expiresAt: number;
}

/** What waits for one approver at one enclave. */
export interface WaitingCalls {
  /** What waits for this approver, as the enclave summarises it. @throws CmcpError as the enclave refuses; `GATEWAY_ANSWER_INVALID` */
  readonly list: () => Promise<readonly JsonObject[]>;
  /** One request, verified. @throws CmcpError `APPROVAL_UNKNOWN`, `APPROVAL_REQUEST_INVALID` */
  readonly show: (id: string) => Promise<VerifiedRequest>;
  /** Sends an answer that the approver signed. @throws CmcpError `APPROVAL_*` as the enclave refuses */
  readonly send: (signed: SignedAnswer) => Promise<RecordedAnswer>;
  /** Gives a permission that the approver signed as owner. @throws CmcpError `DISCLOSURE_PERMISSION_*` as the enclave refuses */
  readonly permit: (signed: SignedPermission) => Promise<void>;
}

/** An enclave that was verified and accepted, and that knows no approver yet. */
export interface EnclaveOfApprovals {
  /** What the enclave showed. */
  readonly verdict: InstanceVerdict;
  /** RFC 7638 thumbprint of its signing key, base64url: statements of access name it. */
  readonly instance: string;
  /** Digest of its launch document, which they name too. */
  readonly launchDigest: string;
  /** Gets access for an approver. @throws CmcpError `APPROVAL_ACCESS_INVALID`, `GATEWAY_ANSWER_INVALID` */
  enter(signed: SignedAccess): Promise<WaitingCalls>;
}

/** An approver's view of one enclave. */
export interface Approvals extends Pick<WaitingCalls, "list" | "show"> {
  /** What the enclave showed. It is accepted. */
  readonly verdict: InstanceVerdict;
  /** Signs and sends an answer. @throws CmcpError `APPROVAL_*` as the enclave refuses */
  answer(shown: VerifiedRequest, answer: Pick<ApprovalAnswer, "decision" | "reason">): Promise<RecordedAnswer>;
  /** Signs and gives a permission to make one call. @throws CmcpError `DISCLOSURE_PERMISSION_*` as the enclave refuses */
  permit(call: PermittedCall): Promise<SignedPermission>;
}

/**
 * Verifies a gateway's enclave and gets access for an approver with a key. Everything goes under the seal, so that the host reads neither
 * calls nor answers.
 *
 * @param gateway the gateway's base URL
 * @param expected what the enclave must be
 * @throws CmcpError `INSTANCE_NOT_ACCEPTED`, `APPROVAL_ACCESS_INVALID`, `GATEWAY_ANSWER_INVALID`, `SEAL_SUITE_UNSUPPORTED`
 */
export async function approvals(
  gateway: URL,
  expected: Expected,
  { approver, random = randomBytes, ...ports }: ApprovalsOptions,
): Promise<Approvals> {
  const enclave = await enclaveOfApprovals(gateway, expected, ports);
  const access: ApprovalAccess = {
    format: ACCESS_FORMAT,
    approver: approver.id,
    instance: enclave.instance,
    launch_digest: enclave.launchDigest,
    issued_at: Math.floor(Date.now() / 1000),
    random: toBase64Url(random(ID_BYTES)),
  };
  const signature = toBase64Url(approver.sign(accessSigningInput(access)));
  const { list, show, send, permit } = await enclave.enter({ access, signature });
  return {
    verdict: enclave.verdict,
    list,
    show,
    answer: async ({ request, hash }, { decision, reason }) => {
      const answer: ApprovalAnswer = {
        format: ANSWER_FORMAT,
        approval_id: request.approval_id,
        request_hash: hash,
        approver: approver.id,
        decision,
        ...(reason === undefined ? {} : { reason }),
      };
      return await send({ answer, signature: toBase64Url(approver.sign(answerSigningInput(answer))) });
    },
    permit: async (call) => {
      const salt = toBase64Url(random(SALT_BYTES));
      const permission: DisclosurePermission = {
        principal: approver.id,
        not_before: call.notBefore,
        expires_at: call.expiresAt,
        request_id: toHex(random(SALT_BYTES)),
        workload: call.principal,
        source_scope: sourceScopeOf(enclave.instance, call.rule),
        labels: [...call.labels],
        recipient: recipientOf(call.server, call.tool),
        purpose: call.purpose,
        policy_version: call.policyHash,
        output_sha256: await outputHash(ports.crypto, salt, call.arguments),
      };
      const signed = toBase64Url(approver.sign(permissionSigningInput(permission)));
      const permitted = { permission, salt, signature: signed };
      await permit(permitted);
      return permitted;
    },
  };
}

/**
 * Verifies a gateway's enclave, for an approver that signs elsewhere: with a passkey. Everything goes under the seal.
 *
 * @param gateway the gateway's base URL
 * @param expected what the enclave must be
 * @throws CmcpError `INSTANCE_NOT_ACCEPTED`, `GATEWAY_ANSWER_INVALID`, `SEAL_SUITE_UNSUPPORTED`
 */
export async function enclaveOfApprovals(
  gateway: URL,
  expected: Expected,
  { crypto, fetch = globalThis.fetch }: ApprovalsPorts,
): Promise<EnclaveOfApprovals> {
  const clock = { now: () => new Date(), monotonic: () => performance.now() };
  const verified = await ConnectedInstance.verify(gateway, expected, { crypto, fetch, ...clock });
  const root = base(gateway);
  const { signingKey } = verified;
  const jwk = canonicalBytes({ crv: "Ed25519", kty: "OKP", x: signingKey });
  const instance = toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", jwk)));
  const send: Send = async (path, { token = null, body = null }, maxBytes = MAX_LIST_BYTES) => {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    const request = new Request(new URL(path, root), { method: body === null ? "GET" : "POST", headers });
    const target = { url: new URL("sealed", root), key: await verified.key(), fetch };
    const answer = verified.heard(exchangeSealed(target, request, body ?? new Uint8Array()));
    return await contentOf(await answer, maxBytes);
  };
  return {
    verdict: verified.verdict,
    instance,
    launchDigest: verified.verdict.binding?.launch_digest ?? "",
    enter: async (signed) => {
      const { token } = objectOf(await send("approvals/access", { body: canonicalBytes(signed) }));
      if (typeof token !== "string") throw unexpected("no token");
      return waitingCalls(
        { crypto, signingKey, instance },
        async (path, body, maxBytes) => await send(path, body === null ? { token } : { token, body }, maxBytes),
      );
    },
  };
}

/** Who must have signed requests. */
interface Signer {
  readonly crypto: VerifierCrypto;
  readonly signingKey: string;
  readonly instance: string;
}

function waitingCalls(
  { crypto, signingKey, instance }: Signer,
  send: (path: string, body: Uint8Array<ArrayBuffer> | null, maxBytes?: number) => Promise<Uint8Array<ArrayBuffer>>,
): WaitingCalls {
  return {
    list: async () => {
      const { approvals: all } = objectOf(await send("approvals", null));
      if (!Array.isArray(all) || !all.every((one) => isJsonObject(one))) throw unexpected("no list of approvals");
      return all;
    },
    show: async (id) => {
      const bytes = await send(`approvals/${encodeURIComponent(id)}`, null, 2 * MAX_REQUEST_BYTES);
      const signed = readRequest(untrusted(bytes));
      const { request } = signed;
      const ours = request.instance === instance && request.approval_id === id;
      if (!ours || !(await isSignedBy(crypto, signingKey, signed)))
        throw new CmcpError(
          "APPROVAL_REQUEST_INVALID",
          "the request is not signed by the enclave that was verified, or is another one",
        );
      return { request, hash: await requestHash(crypto, request) };
    },
    send: async (signed) => {
      const path = `approvals/${encodeURIComponent(signed.answer.approval_id)}/answer`;
      const said = objectOf(await send(path, canonicalBytes(signed)));
      const { state, approvals: given = null, needed } = said;
      if (typeof state !== "string" || typeof needed !== "number" || (given !== null && typeof given !== "number"))
        throw unexpected("no word on the answer");
      return { state, approvals: given, needed };
    },
    permit: async (signed) => {
      const { request_id } = objectOf(await send("disclosures", canonicalBytes(signed)));
      if (request_id !== signed.permission.request_id) throw unexpected("no word on the permission");
    },
  };
}

type Send = (
  path: string,
  request: { readonly token?: string; readonly body?: Uint8Array<ArrayBuffer> },
  maxBytes?: number,
) => Promise<Uint8Array<ArrayBuffer>>;

/** The bytes of an answer. @throws CmcpError the enclave's refusal */
async function contentOf({ status, body }: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = body === null ? new Uint8Array() : await collect(body, maxBytes);
  if (bytes === null) throw unexpected(`over ${maxBytes} bytes`);
  if (status === 200) return bytes;
  throw receivedError(objectOf(bytes)) ?? unexpected(`status ${status}`);
}

function objectOf(bytes: Uint8Array): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(untrusted(bytes), { maxBytes: MAX_LIST_BYTES, maxDepth: 16, maxItems: 100_000 });
  } catch (thrown) {
    throw unexpected("what is not JSON", thrown);
  }
  if (!isJsonObject(value)) throw unexpected("what is no JSON object");
  return value;
}

function unexpected(what: string, cause?: unknown): CmcpError {
  return new CmcpError("GATEWAY_ANSWER_INVALID", `the enclave answered an approver with ${what}`, { cause });
}

function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length));
}
