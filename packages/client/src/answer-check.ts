import { RECEIPT_META_KEY, SALTS_META_KEY, type Receipt } from "@cmcp/audit/schema";
import {
  canonicalText,
  CmcpError,
  isJsonObject,
  parseJson,
  untrusted,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import { committedMessageOf, committedRequestOf, reachesServer } from "@cmcp/mcp/committed";
import { opensCommitment, type VerifierCrypto } from "@cmcp/verify";
import type { ConnectedInstance } from "./instance.ts";
import { isPartOf } from "./part-of.ts";
import type { LogFloor, Receipts } from "./receipts.ts";

/** Most characters of all messages of one answer. */
export const MAX_ANSWER = 64 * 1024 * 1024;
const REQUEST_LIMITS = { maxBytes: MAX_ANSWER, maxDepth: 128, maxItems: 4_000_000 };
const SALT = /^[0-9a-f]{64}$/;

/** A request that reaches a server, so that its answer has a receipt. */
export interface GovernedCall {
  /** What its receipt commits to; `null` for what the gateway refuses before it decides. */
  readonly request: JsonObject | null;
  /** Whether its caller gave it an idempotency key, under which an earlier request may have made the call. */
  readonly mayBeRepeated?: boolean;
}

/**
 * Reads a request to the MCP endpoint.
 *
 * @returns `null` for one that reaches no server
 */
export function governedCall(content: Uint8Array): GovernedCall | null {
  let message: JsonValue;
  try {
    message = parseJson(untrusted(content), REQUEST_LIMITS);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    // The gateway refuses it, too. If it does not, its answer must not pass unchecked.
    return { request: null };
  }
  if (!isJsonObject(message) || typeof message.method !== "string" || !reachesServer(message.method)) return null;
  return { request: committedRequestOf(message) };
}

/** What answers are held to. */
export interface AnswerPorts {
  readonly crypto: VerifierCrypto;
  readonly receipts: Receipts;
  /** Holds the policy that decided to what the instance showed. */
  readonly instance: Pick<ConnectedInstance, "requirePolicy">;
}

/** Holds all that one call is answered to the call's receipt. */
export class AnswerCheck {
  readonly #ports: AnswerPorts;
  readonly #call: GovernedCall;
  readonly #floor: LogFloor | null;
  /** Canonical JSON of the messages so far. */
  readonly #texts: string[] = [];
  #length = 0;
  #isOver = false;

  /** Begins before the call is sent. */
  constructor(ports: AnswerPorts, call: GovernedCall) {
    this.#ports = ports;
    this.#call = call;
    this.#floor = call.mayBeRepeated === true ? null : ports.receipts.floor;
  }

  /**
   * Takes the next message. Resolves when it may be handed on.
   *
   * @throws CmcpError `RECEIPT_MISSING`, `RECEIPT_MALFORMED`, `RECEIPT_INVALID`, `LOG_MISMATCH`, `COMMITMENT_MISMATCH`,
   *   `GATEWAY_ANSWER_INVALID`; as {@link ConnectedInstance.requirePolicy}
   */
  async take(message: JsonObject): Promise<void> {
    if (this.#isOver)
      throw new CmcpError("GATEWAY_ANSWER_INVALID", "the gateway sent a message after the last of an answer");
    const isLast = message.method === undefined;
    // A question that is taken back is the gateway's own word.
    if (message.method === "notifications/cancelled") return;
    const { method = "", params = {} } = message;
    const text = canonicalText(isLast ? committedMessageOf(message) : { method, params });
    this.#length += text.length;
    if (this.#length > MAX_ANSWER)
      throw new CmcpError("GATEWAY_ANSWER_INVALID", `an answer is longer than ${MAX_ANSWER} characters`);
    this.#texts.push(text);
    if (!isLast) return;
    this.#isOver = true;
    const { receipt, salts } = attachedTo(message);
    if (receipt === undefined) requireRefusal(message);
    else await this.#open(await this.#ports.receipts.take(receipt, this.#floor), salts);
  }

  async #open(receipt: Receipt, salts: JsonObject): Promise<void> {
    const { policy_hash: policy, request_payload_hash: request, response_payload_hash: response } = receipt;
    await this.#ports.instance.requirePolicy(policy);
    const sent = this.#sentAs(salts.inputResponses);
    if (!(await this.#opens("request", salts.request, sent, request)))
      throw new CmcpError("COMMITMENT_MISMATCH", "the answer's receipt commits to another request than was sent");
    if (!(await this.#opens("response", salts.response, `[${this.#texts.join(",")}]`, response)))
      throw new CmcpError("COMMITMENT_MISMATCH", "the answer's receipt commits to another answer than arrived");
  }

  /** The request as it went on; `null` where that does not follow from the one that was sent. */
  #sentAs(inputResponses: JsonValue | undefined): string | null {
    const { request } = this.#call;
    if (request === null) return null;
    if (inputResponses === undefined) return canonicalText(request);
    const { inputResponses: own, ...params } = isJsonObject(request.params) ? request.params : {};
    if (!isJsonObject(inputResponses) || !isPartOf(inputResponses, own)) return null;
    const rest = Object.keys(inputResponses).length === 0 ? {} : { inputResponses };
    return canonicalText({ ...request, params: { ...params, ...rest } });
  }

  async #opens(
    field: "request" | "response",
    salt: JsonValue | undefined,
    text: string | null,
    commitment: string | undefined,
  ): Promise<boolean> {
    if (text === null || commitment === undefined || typeof salt !== "string" || !SALT.test(salt)) return false;
    return await opensCommitment(this.#ports.crypto, field, { salt, text }, commitment);
  }
}

/** Receipt and salts of an answer, of which the receipt may be missing. */
function attachedTo({ result, error }: JsonObject): {
  readonly receipt: JsonValue | undefined;
  readonly salts: JsonObject;
} {
  const [meta, data] = [isJsonObject(result) ? result._meta : undefined, isJsonObject(error) ? error.data : undefined];
  const [members, names] = isJsonObject(meta)
    ? [meta, { receipt: RECEIPT_META_KEY, salts: SALTS_META_KEY }]
    : [isJsonObject(data) ? data : {}, { receipt: "receipt", salts: "salts" }];
  const salts = members[names.salts];
  return {
    // Where the kill switch refuses, `receipt` of an error is the switch's own.
    receipt: members[RECEIPT_META_KEY] ?? members[names.receipt],
    salts: isJsonObject(salts) ? salts : {},
  };
}

/** Only what the gateway refused before it decided has no receipt. @throws CmcpError `RECEIPT_MISSING` */
function requireRefusal({ result, error }: JsonObject): void {
  const meta = isJsonObject(result) ? result._meta : undefined;
  if (isJsonObject(meta) && isJsonObject(meta["cmcp.gateway/error"])) return;
  const data = isJsonObject(error) ? error.data : undefined;
  const isServers = isJsonObject(data) && data.error_code === "UPSTREAM_CALL_REFUSED";
  if (result === undefined && isJsonObject(error) && !isServers) return;
  throw new CmcpError("RECEIPT_MISSING", "the answer has no receipt: nothing shows that the call was recorded");
}
