import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { canonicalBytes, fromBase64Url, toBase64Url, type JsonObject } from "@cmcp/boundary";
import { accessBytes, accessSigningInput, ACCESS_FORMAT, type ApprovalAccess } from "../access.ts";
import { ANSWER_FORMAT, answerBytes, answerSigningInput, type ApprovalAnswer } from "../answer.ts";
import {
  outputBytes,
  permissionSigningInput,
  recipientOf,
  sourceScopeOf,
  type DisclosurePermission,
  type SignedPermission,
} from "../disclosure.ts";
import type { PasskeyAssertion } from "../webauthn/assertion.ts";
import type { Approver, Passkey } from "../approver.ts";
import { REQUEST_FORMAT, requestBytes, type ApprovalRequest } from "../request.ts";

/** A sound request, but for some of it. */
export function requestOf(changes: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    format: REQUEST_FORMAT,
    approval_id: toBase64Url(new Uint8Array(16).fill(1)),
    origin: "gateway.example/1",
    instance: toBase64Url(new Uint8Array(32).fill(2)),
    principal: "agent-1",
    session_id: "3b241101-e2bb-4255-8caf-4136c566a962",
    call_id: "9a7b330a-a736-4c1b-8d3d-3b1f4c3f0a53",
    subject: "call",
    target: { method: "tools/call", name: "send_mail", server: "spiffe://mail" },
    workflow_id: "default",
    arguments: { to: "bob@example.org", text: "Grüße" },
    flows: { found: [], complete: true },
    findings: {},
    labels: { compartments: ["pii"], integrity: "untrusted" },
    policy_hash: `sha256:${"a".repeat(64)}`,
    catalog_hash: `sha256:${"b".repeat(64)}`,
    rule: "mail-needs-a-person",
    reason: "mail leaves the company",
    needed: 1,
    approvers: ["alice", "bob"],
    issued_at: 1_000,
    expires_at: 1_900,
    salt: toBase64Url(new Uint8Array(32).fill(3)),
    ...changes,
  };
}

/** Salt of the permissions of tests. */
export const SALT = toBase64Url(new Uint8Array(32).fill(6));

/** A sound permission to send these arguments, but for some of it. */
export function permissionOf(
  args: JsonObject = { to: "bob@example.org" },
  changes: Partial<DisclosurePermission> = {},
): DisclosurePermission {
  return {
    principal: "alice",
    not_before: 1_000,
    expires_at: 1_900,
    request_id: "01".repeat(32),
    workload: "agent-1",
    source_scope: sourceScopeOf(toBase64Url(new Uint8Array(32).fill(2)), "stay"),
    labels: ["pii"],
    recipient: recipientOf("spiffe://mail", "send_mail"),
    purpose: "default",
    policy_version: `sha256:${"a".repeat(64)}`,
    output_sha256: createHash("sha256").update(outputBytes(SALT, args)).digest("hex"),
    ...changes,
  };
}

/** An approver with an Ed25519 key, and what it signs. */
export interface TestApprover {
  readonly approver: Extract<Approver, { ed25519: string }>;
  readonly privateKey: KeyObject;
  /** A signed answer in its canonical bytes. */
  answer(request: ApprovalRequest, changes?: Partial<ApprovalAnswer>): Uint8Array<ArrayBuffer>;
  /** A signed statement of access in its canonical bytes. */
  access(access: Omit<ApprovalAccess, "format" | "approver">): Uint8Array<ArrayBuffer>;
  /** A permission with the owner's signature. */
  permit(permission: DisclosurePermission, salt?: string): SignedPermission;
}

/** A new approver. */
export function newApprover(id: string): TestApprover {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const signature = (input: Uint8Array): string => toBase64Url(sign(null, input, privateKey));
  return {
    approver: { id, ed25519: x },
    privateKey,
    answer: (request, changes = {}) => {
      const answer = answerTo(request, id, changes);
      return canonicalBytes({ answer, signature: signature(answerSigningInput(answer)) });
    },
    access: (said) => {
      const access: ApprovalAccess = { format: ACCESS_FORMAT, approver: id, ...said };
      return canonicalBytes({ access, signature: signature(accessSigningInput(access)) });
    },
    permit: (permission, salt = SALT) => ({
      permission,
      salt,
      signature: signature(permissionSigningInput(permission)),
    }),
  };
}

/** An answer to a request: an approval, but for some of it. */
export function answerTo(
  request: ApprovalRequest,
  approver: string,
  changes: Partial<ApprovalAnswer> = {},
): ApprovalAnswer {
  const request_hash = `sha256:${createHash("sha256").update(requestBytes(request)).digest("hex")}`;
  const { approval_id } = request;
  return { format: ANSWER_FORMAT, approval_id, request_hash, approver, decision: "approve", ...changes };
}

/** What a test changes of an assertion. */
export interface AssertionChanges {
  readonly client?: Readonly<Record<string, string | boolean>>;
  readonly flags?: number;
  readonly rpId?: string;
}

/** A passkey in software. */
export interface TestPasskey {
  readonly passkey: Passkey;
  readonly assert: (answer: ApprovalAnswer, changes?: AssertionChanges) => PasskeyAssertion;
  /** A statement of access with an assertion, in its canonical bytes. */
  readonly access: (access: Omit<ApprovalAccess, "format">, changes?: AssertionChanges) => Uint8Array<ArrayBuffer>;
  /** A permission with an assertion. */
  readonly permit: (permission: DisclosurePermission, changes?: AssertionChanges) => SignedPermission;
}

/** A new passkey of a relying party on localhost. */
export function newPasskey(algorithm: "ES256" | "EdDSA"): TestPasskey {
  const { privateKey, publicKey } =
    algorithm === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const origin = "http://localhost:4000";
  const hash = (message: Uint8Array): Uint8Array => createHash("sha256").update(message).digest();
  const assertion = (statement: Uint8Array, changes: AssertionChanges = {}): PasskeyAssertion => {
    const { client = {}, flags = 0x05, rpId = "localhost" } = changes;
    const said = {
      type: "webauthn.get",
      challenge: toBase64Url(hash(statement)),
      origin,
      crossOrigin: false,
      ...client,
    };
    const clientData = new TextEncoder().encode(JSON.stringify(said));
    const data = new Uint8Array([...hash(new TextEncoder().encode(rpId)), flags, 0, 0, 0, 0]);
    const input = new Uint8Array([...data, ...hash(clientData)]);
    const signature = sign(algorithm === "ES256" ? "sha256" : null, input, privateKey);
    return {
      authenticator_data: toBase64Url(data),
      client_data_json: toBase64Url(clientData),
      signature: toBase64Url(signature),
    };
  };
  return {
    passkey: { public_key: toBase64Url(spki), rp_id: "localhost", origins: [origin] },
    assert: (answer, changes) => assertion(answerBytes(answer), changes),
    access: (said, changes) => {
      const access: ApprovalAccess = { format: ACCESS_FORMAT, ...said };
      return canonicalBytes({ access, assertion: assertion(accessBytes(access), changes) });
    },
    permit: (permission, changes) => ({
      permission,
      salt: SALT,
      assertion: assertion(permissionSigningInput(permission), changes),
    }),
  };
}

/** A base64url text with one bit of its bytes changed. */
export function flipped(text: string, at = 0): string {
  const bytes = fromBase64Url(text) ?? new Uint8Array();
  return toBase64Url(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)));
}
