import { canonicalBytes, fromBase64Url, isJsonObject, type JsonObject, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import { digestOf, verifiesEd25519, type ApprovalCrypto } from "./crypto.ts";
import { ID_BYTES, MAX_APPROVAL_SECONDS, MAX_APPROVERS, MAX_NAMED, MAX_REQUEST_BYTES, SALT_BYTES } from "./limits.ts";
import { approverId, bytes, digest, seconds } from "./members.ts";
import { checked, readCanonical, type Form } from "./read.ts";

/** What an instance signs begins with this. */
const DOMAIN = "cmcp-approval-request-v1|";
export const REQUEST_FORMAT = "cmcp-approval-request/1";

const text = z.string().max(4_096);
const json: z.ZodType<JsonObject> = z.custom<JsonObject>((value) => isJsonObject(value as JsonObject), {
  error: "is not an object",
});

const flowSchema = z.strictObject({
  source_server: text,
  source_tool: text,
  labels: z.array(text).max(256),
  kind: z.enum(["exact", "fingerprint", "encoded"]),
  path: text,
  coverage: z.number().min(0),
});

/** MCP 2025-11-25, "Task Parameters", and what names a task of the gateway. */
const taskSchema = z.union([
  z.strictObject({ ttl: z.int().nonnegative().nullable() }),
  z.strictObject({ id: text.min(1) }),
]);
/** What a server asked, in its words, and what the agent answers. */
const answersSchema = z
  .record(text, z.strictObject({ method: text.min(1), params: json, answer: json }))
  .refine((answers) => Object.keys(answers).length <= MAX_NAMED, { error: "too many answers" });

const requestSchema = z
  .strictObject({
    format: z.literal(REQUEST_FORMAT),
    /** Random, base64url of 16 bytes. It is all that an agent's URL says. */
    approval_id: bytes(ID_BYTES),
    /** Name of the log. */
    origin: text.min(1),
    /** RFC 7638 thumbprint of the instance's signing key, base64url. */
    instance: bytes(32),
    principal: text.min(1),
    session_id: z.uuid(),
    call_id: z.uuid(),
    /** `call`: whether the call is sent. `result`: whether what the server answered is delivered. */
    subject: z.enum(["call", "result"]),
    target: z.strictObject({ method: text.min(1), name: text.min(1), server: text.min(1) }),
    workflow_id: text,
    /** The call's arguments, all of them. */
    arguments: json,
    /** `ttl` where the agent asks for a task, in milliseconds; `id` of the task that the request is about. */
    task: taskSchema.optional(),
    /** Where the call goes on after its server asked: each question, by its id, with the answer that would be sent. */
    answers: answersSchema.optional(),
    /** The result that waits: only where it is the subject. */
    result: json.optional(),
    /** Earlier results that stand in what is sent. `null` where no rule asks. */
    flows: z.strictObject({ found: z.array(flowSchema).max(MAX_NAMED), complete: z.boolean() }).nullable(),
    /** Counts of what detectors found, by class. Empty where no rule asks. */
    findings: z
      .record(z.string().max(64), z.number())
      .refine((found) => Object.keys(found).length <= MAX_NAMED, { error: "too many findings" }),
    /** What the session has seen. */
    labels: z.strictObject({ compartments: z.array(text).max(256), integrity: z.enum(["trusted", "untrusted"]) }),
    policy_hash: digest,
    catalog_hash: digest,
    /** The refusal that an approval lifts, and no other. */
    rule: text.min(1),
    reason: text.nullable(),
    /** Approvals by so many distinct approvers. */
    needed: z.int().min(1).max(MAX_APPROVERS),
    /** Who may answer. */
    approvers: z.array(approverId).min(1).max(MAX_APPROVERS),
    issued_at: seconds,
    expires_at: seconds,
    /** Random, base64url of 32 bytes: the statement's hash is in the record, and says nothing of what it holds. */
    salt: bytes(SALT_BYTES),
  })
  .refine(({ needed, approvers }) => needed <= new Set(approvers).size, {
    error: "needs more approvals than there are approvers",
  })
  .refine(({ approvers }) => new Set(approvers).size === approvers.length, { error: "duplicate approver" })
  .refine(({ issued_at: from, expires_at: to }) => to > from && to - from <= MAX_APPROVAL_SECONDS, {
    path: ["expires_at"],
    error: `is after issued_at, by at most ${MAX_APPROVAL_SECONDS} seconds`,
  })
  .refine(({ subject, result }) => (subject === "result") === (result !== undefined), {
    path: ["result"],
    error: "is there exactly where it is the subject",
  });

/** What an enclave asks approvers: one exact call, or one exact result. */
export type ApprovalRequest = z.output<typeof requestSchema>;

const signedSchema = z.strictObject({ request: requestSchema, signature: bytes(64) });
/** A request with the signature of the instance that it names. */
export type SignedRequest = z.output<typeof signedSchema>;

const SIGNED: Form<SignedRequest> = {
  what: "approval request",
  schema: signedSchema,
  limits: { maxBytes: MAX_REQUEST_BYTES, maxDepth: 80, maxItems: 210_000 },
};

/** The canonical bytes of a request, whose digest names it. @throws CmcpError `APPROVAL_MALFORMED` */
export function requestBytes(request: ApprovalRequest): Uint8Array<ArrayBuffer> {
  return canonicalBytes(checked(request, { what: "approval request", schema: requestSchema }));
}

/** The bytes that the instance signs. */
export function requestSigningInput(request: ApprovalRequest): Uint8Array<ArrayBuffer> {
  const domain = new TextEncoder().encode(DOMAIN);
  const statement = requestBytes(request);
  const input = new Uint8Array(domain.length + statement.length);
  input.set(domain);
  input.set(statement, domain.length);
  return input;
}

/** Reads a signed request of at most 512 KiB. Its signature is not looked at. @throws CmcpError `APPROVAL_MALFORMED` */
export function readRequest(input: Untrusted<Uint8Array>): SignedRequest {
  return readCanonical(input, SIGNED);
}

/** `sha256:` and hex: what an answer and the record name a request by. */
export async function requestHash(crypto: ApprovalCrypto, request: ApprovalRequest): Promise<string> {
  return await digestOf(crypto, requestBytes(request));
}

/** Whether an instance signed a request. @param signingKey Ed25519, base64url of 32 bytes */
export async function isSignedBy(
  crypto: ApprovalCrypto,
  signingKey: string,
  { request, signature }: SignedRequest,
): Promise<boolean> {
  const [key, signed] = [fromBase64Url(signingKey), fromBase64Url(signature)];
  if (key?.length !== 32 || signed === undefined) return false;
  return await verifiesEd25519(crypto, key, signed, requestSigningInput(request));
}
