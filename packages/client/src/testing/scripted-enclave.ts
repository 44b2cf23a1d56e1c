/** An enclave whose answers a test chooses, behind a host in the same process: its report, its keys, its log and its seal are real. */
import { randomBytes, randomUUID } from "node:crypto";
import type { InstanceBinding } from "@cmcp/appraise/evidence";
import { instanceReportData } from "@cmcp/attestation";
import {
  commitmentTo,
  RECEIPT_META_KEY,
  receiptLeaf,
  SALTS_META_KEY,
  type LogPlace,
  type Receipt,
  type ReceiptBody,
} from "@cmcp/audit";
import { canonicalText, isJsonObject, toBase64Url, toHex, type JsonObject } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import { committedMessageOf, committedRequestOf } from "@cmcp/mcp/committed";
import {
  encodeKeyConfigs,
  encodeResponse,
  keyConfigOf,
  openRequest,
  readRequest,
  SEALED_RESPONSE_TYPE,
  X_WING_SUITE,
  type OpenedRequest,
} from "@cmcp/seal";
import { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "../../../appraise/src/software/constants.ts";
import { Instance } from "../../../verify/src/testing/instance.ts";

export const POLICY = `sha256:${"a".repeat(64)}`;
const NOWHERE: LogPlace = { index: 0, path: [], note: "" };
const LIMITS = { contentBytes: 1024 * 1024, paddingBytes: 1024 * 1024 };
const KEY = { suite: X_WING_SUITE, key: X_WING_SUITE.kem.keyOf(randomBytes(32)) };

/** An answer as the enclave gives it, before it is sealed. */
export interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

/** The messages of an answer as an event stream. */
export function events(...messages: readonly JsonObject[]): Answer {
  const lines = messages.map((message) => `event: message\ndata: ${JSON.stringify(message)}\n\n`);
  return { type: "text/event-stream", body: `:\n\n${lines.join("")}` };
}

/** A message as a JSON answer. */
export function json(message: JsonObject): Answer {
  return { body: JSON.stringify(message) };
}

/** Receipt and salts of one call. */
export interface Recorded {
  readonly receipt: Receipt;
  readonly salts: JsonObject;
}

/** An answer with its receipt and salts attached, as the gateway attaches them. */
export function attached({ receipt, salts }: Recorded, message: JsonObject): JsonObject {
  const { result, error } = message;
  if (isJsonObject(result)) {
    const meta = isJsonObject(result["_meta"]) ? result["_meta"] : {};
    return {
      ...message,
      result: { ...result, _meta: { ...meta, [RECEIPT_META_KEY]: { ...receipt }, [SALTS_META_KEY]: salts } },
    };
  }
  const data = isJsonObject(error) && isJsonObject(error["data"]) ? error["data"] : {};
  return {
    ...message,
    error: {
      ...(isJsonObject(error) ? error : {}),
      data: { ...data, call_id: receipt.call_id, receipt: { ...receipt }, salts },
    },
  };
}

export class ScriptedEnclave {
  readonly url = new URL("http://gateway.test/");
  readonly endpoint = new URL("mcp", this.url);
  instance = new Instance();
  /** What of the report's binding is not as usual. */
  binding: Partial<InstanceBinding> = {};
  /** Answers a call. */
  answer: (message: JsonObject) => Answer | Promise<Answer> = (message) => this.echo(message);
  /** Answers what the host answers itself: anything but `/attestation` and `/sealed`. */
  host: (path: string) => Response = () => new Response(null, { status: 404 });
  /** Paths that were asked for, in order. Questions under the seal for the log's size are not among them. */
  readonly asked: string[] = [];
  /** Leaves of the log. The first stands for the hand-over. */
  readonly leaves: Uint8Array[] = [Buffer.from("{}")];
  policy = POLICY;
  origin = "log.example/0";
  readonly session: string = randomUUID();
  #number = 0;

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname } = new URL(request.url);
    if (pathname !== "/sealed") this.asked.push(pathname);
    if (pathname === "/attestation") return Response.json(this.report());
    if (pathname !== "/sealed") return this.host(pathname);
    if (request.body === null) return new Response(null, { status: 400 });
    const opened = await openRequest(request.body, () => KEY);
    return await this.#sealed(opened);
  };

  /** The report of the present instance. */
  report(): JsonObject {
    const binding: InstanceBinding = {
      purpose: "instance-attestation",
      nonce: "0123456789abcdef",
      keys: { signing: this.instance.jwk.x },
      policy_hash: this.policy,
      catalog_hash: `sha256:${"c".repeat(64)}`,
      enforcement_mode: "enforcing",
      launch_digest: `sha256:${"d".repeat(64)}`,
      ...this.binding,
    };
    const configs = encodeKeyConfigs([keyConfigOf({ id: 1, suite: KEY.suite, publicKey: KEY.key.publicKey })]);
    return {
      binding: { ...binding, keys: { ...binding.keys } },
      evidence: {
        platform: "software-only",
        measurement: SOFTWARE_MEASUREMENT,
        firmware: SOFTWARE_FIRMWARE,
        report_data: toBase64Url(instanceReportData(this.instance.thumbprint, binding)),
        generated_at: "2026-08-01T00:00:00.000Z",
      },
      seal: {
        key_configs: toBase64Url(configs),
        signature: toBase64Url(this.instance.sign(Buffer.concat([Buffer.from("cmcp-seal-keys-v1|"), configs]))),
      },
    };
  }

  /**
   * Records a call: what left of it, and all that it was answered.
   *
   * @param change what the receipt says otherwise
   * @param isPlaced whether its place is looked up, which takes as long as the log is
   */
  record(
    request: JsonObject,
    messages: readonly JsonObject[],
    change: Partial<ReceiptBody> = {},
    isPlaced = true,
  ): Recorded {
    const salts = { request: toHex(randomBytes(32)), response: toHex(randomBytes(32)) };
    const said = messages.map(({ jsonrpc: _jsonrpc, id: _id, ...message }) =>
      message["method"] === undefined ? committedMessageOf(message) : message,
    );
    this.#number += 1;
    const body: ReceiptBody = {
      v: "cmcp-receipt-v3",
      kind: "entry",
      instance: this.instance.name,
      seq: this.leaves.length,
      session_id: this.session,
      sequence_number: this.#number,
      entry_hash: toHex(randomBytes(32)),
      prev_entry_hash: toHex(randomBytes(32)),
      call_id: randomUUID(),
      decision: "allow",
      policy_hash: this.policy,
      channel: "sealed",
      time: "2026-08-01T00:00:00.000Z",
      time_source: "host-asserted",
      request_payload_hash: commitmentTo(
        "request",
        Buffer.from(salts.request, "hex"),
        canonicalText(committedRequestOf(request)),
      ),
      response_payload_hash: commitmentTo("response", Buffer.from(salts.response, "hex"), canonicalText(said)),
      ...change,
    };
    this.leaves.push(receiptLeaf(body));
    return { receipt: { ...body, log: isPlaced ? this.placeOf(this.leaves.length - 1) : NOWHERE }, salts };
  }

  /** Where a leaf stands, under the newest head. */
  placeOf(index: number): LogPlace {
    return this.places()[index] ?? NOWHERE;
  }

  /** Where every leaf stands, under the newest head. */
  places(): LogPlace[] {
    const { root, paths } = appendLeaves(EMPTY_RANGE, this.leaves.map(leafHash));
    const { jwk, name, sign } = this.instance;
    const key = verifierKey(instanceKeyName(name), SIGNATURE_TYPE.ed25519, Buffer.from(jwk.x, "base64url"));
    const note = signNote(formatCheckpoint({ origin: this.origin, size: this.leaves.length, root }), key, sign);
    return paths.map((path, index) => ({ index, path: path.map(toBase64Url), note }));
  }

  /** A call's answer as an honest enclave gives it. */
  echo(message: JsonObject): Answer {
    const answer = { jsonrpc: "2.0", id: message["id"] ?? null, result: { content: [] } };
    return json(attached(this.record(message, [answer]), answer));
  }

  /** Hashes of the log's leaves: its tile of level 0, as long as it is partial. */
  get tile(): Buffer {
    return Buffer.concat(this.leaves.map((leaf) => leafHash(leaf)));
  }

  async #sealed(opened: OpenedRequest): Promise<Response> {
    const { head: asked, content } = await readRequest(opened.message, LIMITS);
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(piece.slice());
    const isForSize = asked.path === "/v1/status";
    if (!isForSize) this.asked.push("/sealed");
    const text = Buffer.concat(pieces).toString();
    const message: unknown = text === "" ? null : JSON.parse(text);
    const answer = isForSize
      ? json({ log: { origin: this.origin, size: this.leaves.length } })
      : await this.answer(message as JsonObject);
    const head = {
      informational: [],
      status: answer.status ?? 200,
      fields: [{ name: "content-type", value: answer.type ?? "application/json" }],
    };
    const sealed: Uint8Array[] = [];
    for await (const piece of opened.sealAnswer(only(encodeResponse(head, { content: Buffer.from(answer.body) }))))
      sealed.push(piece.slice());
    return new Response(Buffer.concat(sealed), { headers: { "content-type": SEALED_RESPONSE_TYPE } });
  }
}

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}
