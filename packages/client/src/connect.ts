import type { Receipt } from "@cmcp/audit/schema";
import { CmcpError } from "@cmcp/boundary";
import type { Checkpoint } from "@cmcp/log/format";
import type { InstanceVerdict, VerifierCrypto } from "@cmcp/verify";
import { AnswerCheck, governedCall } from "./answer-check.ts";
import type { AskPorts } from "./call-outcome.ts";
import { checkedResponse } from "./checked-response.ts";
import { base, ConnectedInstance, type Expected } from "./instance.ts";
import { PublishedLog } from "./published-log.ts";
import { Receipts } from "./receipts.ts";
import { KeyedFetch } from "./keyed-fetch.ts";
import { exchangeSealed } from "./sealed-exchange.ts";
import { isToEndpoint } from "./endpoint.ts";

/** What {@link connect} takes beside the gateway and what is expected of it. */
export interface ConnectOptions {
  readonly crypto: VerifierCrypto;
  /** What carries requests to the host; the platform's by default. */
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds of a clock that does not go back. */
  readonly monotonic?: () => number;
  /** The time that evidence must be valid at. */
  readonly now?: () => Date;
  /** Called with the receipt of every call, once its signature verified. It holds no payload. */
  readonly onReceipt?: (receipt: Receipt) => void;
  /** Called where something could not be checked, with what and why. */
  readonly onNotice?: (text: string) => void;
  /** Waits so many milliseconds. */
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
}

/** A gateway whose enclave was verified. */
export interface Connection {
  /** What the enclave showed. It is accepted. */
  readonly verdict: InstanceVerdict;
  /**
   * As the platform's `fetch`, to this gateway only, and under the seal only. It rejects with a `CmcpError`.
   * `SEAL_OUTCOME_UNKNOWN`: the host answers in place of the enclave. `INSTANCE_CHANGED`: it offers the keys of
   * another instance. `ATTESTATION_STALE`: the evidence is no longer valid. `POLICY_CHANGED`: a policy is in force
   * that was not expected. An answer of a tool server is handed on only once it and its request were held to its
   * receipt. `RECEIPT_MISSING`, `RECEIPT_INVALID`, `COMMITMENT_MISMATCH` and `LOG_MISMATCH` reject, or end a stream
   * before its last message.
   *
   * Each call has an idempotency key. Where its answer is lost the record says what became of it: `SEAL_ANSWER_LOST`
   * for a call that has ended.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Holds what is left of the receipts' heads to the log that the host publishes.
   *
   * @throws CmcpError `LOG_MISMATCH` where the log was found to be another; then every request rejects with it, too
   */
  close(): Promise<void>;
}

/**
 * Verifies a gateway and connects to its enclave. Nothing of an agent's is sent before.
 *
 * @param gateway the gateway's base URL
 * @param expected what the enclave must be; `trustedKey` pins one instance. Without `launch` the policy must stay as it is at first
 * @throws CmcpError `INSTANCE_NOT_ACCEPTED` with the checks that failed, `GATEWAY_ANSWER_INVALID`, `SEAL_SUITE_UNSUPPORTED`
 */
export async function connect(
  gateway: URL,
  expected: Expected,
  {
    crypto,
    fetch = globalThis.fetch,
    monotonic = () => performance.now(),
    now = () => new Date(),
    onReceipt = () => undefined,
    onNotice = () => undefined,
    sleep = pause,
  }: ConnectOptions,
): Promise<Connection> {
  const instance = await ConnectedInstance.verify(gateway, expected, { crypto, fetch, now, monotonic });
  const root = base(gateway);
  const log = new PublishedLog({ gateway: root, crypto, fetch, monotonic, onUnpublished: onNotice });
  const onHead = (head: Checkpoint): void => log.take(head);
  const receipts = new Receipts({ crypto, signingKey: instance.signingKey, onReceipt, onHead });
  const url = new URL("sealed", root);
  const send: AskPorts["send"] = async (request, signal, mayBeRepeated = false) => {
    const key = await instance.key();
    const carry: typeof fetch = async (target, rest) => await fetch(target, { ...rest, signal });
    const content = new Uint8Array(await request.arrayBuffer());
    const call = isToEndpoint(request, root) ? governedCall(content) : null;
    const check = call === null ? null : new AnswerCheck({ crypto, receipts, instance }, { ...call, mayBeRepeated });
    const answer = await instance.heard(exchangeSealed({ url, key, fetch: carry }, request, content));
    return check === null ? answer : await checkedResponse(answer, check);
  };
  const keyed = new KeyedFetch({ root, send, monotonic, sleep });
  return {
    verdict: instance.verdict,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      if (!request.url.startsWith(root.href))
        throw new CmcpError("USAGE", `${new URL(request.url).origin} is not the gateway that was verified`);
      log.assertConsistent();
      // The signal that a request derives from its maker's ends with the request, which may be before its answer does.
      return await keyed.fetch(request, init?.signal ?? (input instanceof Request ? input.signal : null));
    },
    close: async () => {
      await log.check();
      log.assertConsistent();
    },
  };
}

function pause(milliseconds: number): Promise<unknown> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
