import { asCmcpError, CmcpError, examine, untrusted } from "@cmcp/boundary";
import {
  chooseKey,
  encodeRequest,
  parseKeyConfigs,
  randomBytes,
  readResponse,
  SEALED_REQUEST_TYPE,
  SEALED_RESPONSE_TYPE,
  sealRequest,
  type GatewayKey,
} from "@cmcp/seal";
import type { ExchangePool } from "@cmcp/wire";
import { ON_THE_WAY, type Outcome, type Request } from "./agent.ts";

/** Bytes of a piece of a request, so that it has several chunks that a host could move. */
const PIECE_BYTES = 100;
const LIMITS = { contentBytes: 16 * 1024 * 1024, paddingBytes: 16 * 1024 * 1024 };

/** What the host got for bytes that it sent to `/sealed`. */
export interface Carried {
  readonly status: number;
  readonly type: string | null;
  readonly bytes: Buffer;
}

/** Brings a sealed request to the enclave, as the host sees fit. */
export type Carry = (bytes: Buffer) => Promise<Carried>;

/** Sends bytes to `/sealed` through the wire. */
export async function deliver(pool: ExchangePool, bytes: Uint8Array, signal: AbortSignal): Promise<Carried> {
  const headers = { "content-type": SEALED_REQUEST_TYPE };
  const exchange = await pool.open({ t: "request", method: "POST", path: "/sealed", headers }, signal);
  if (bytes.length > 0) await exchange.write(bytes);
  await exchange.end();
  const { status, headers: answered } = await exchange.head;
  const pieces: Uint8Array[] = [];
  for await (const piece of exchange.body) pieces.push(Buffer.from(examine(piece)));
  return { status, type: answered["content-type"] ?? null, bytes: Buffer.concat(pieces) };
}

/** The key that an instance says requests are sealed to; `null` where the host lets nothing through. */
export async function keyOf(pool: ExchangePool, signal: AbortSignal): Promise<GatewayKey | null> {
  try {
    const exchange = await pool.open({ t: "request", method: "GET", path: "/attestation", headers: {} }, signal);
    await exchange.end();
    await exchange.head;
    let text = "";
    for await (const piece of exchange.body) text += Buffer.from(examine(piece)).toString();
    const { seal } = JSON.parse(text) as { readonly seal: { readonly key_configs: string } };
    return chooseKey(parseKeyConfigs(untrusted(Buffer.from(seal.key_configs, "base64url"))));
  } catch {
    // The host's lies reach this request, too. Without a key the agent sends nothing.
    return null;
  }
}

/** A key that the instance does not have, under the id of one that it has. */
export function strangersKey(key: GatewayKey): GatewayKey {
  return { ...key, publicKey: key.suite.kem.keyOf(randomBytes(32)).publicKey };
}

/** Seals one request, has it carried, and opens the answer. What is no answer of the enclave's comes to a refusal or to silence. */
export async function sendSealed(key: GatewayKey, request: Request, carry: Carry): Promise<Outcome> {
  const fields = Object.entries({
    authorization: `Bearer ${request.token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...request.headers,
  }).map(([name, value]) => ({ name, value }));
  const head = { method: request.method, scheme: "http", authority: "gateway.example", path: request.path, fields };
  const content = Buffer.from(request.body === undefined ? "" : JSON.stringify(request.body));
  const sealed = sealRequest(key, inPieces(encodeRequest(head, { content })));
  try {
    const { status, type, bytes } = await carry(await joined(sealed.bytes));
    if (status !== 200 || type !== SEALED_RESPONSE_TYPE) return hostsWord(status, bytes.toString());
    const { head: inner, content: opened } = await readResponse(sealed.openAnswer(inPieces(bytes)), LIMITS);
    const text = (await joined(opened)).toString();
    const handle = inner.fields.find(({ name }) => name === "mcp-session-id")?.value ?? null;
    return { kind: "answer", status: inner.status, handle, text, opened: true };
  } catch (thrown) {
    const { code } = asCmcpError(thrown, "INTERNAL", "the sealed request failed");
    return ON_THE_WAY.has(code) ? { kind: "silence" } : { kind: "error-frame", code };
  }
}

/** What is not sealed is the host's word, cut or not: what the enclave answered is looked at where the host got it. */
function hostsWord(status: number, text: string): Outcome {
  try {
    JSON.parse(text);
    return { kind: "answer", status, handle: null, text };
  } catch {
    return { kind: "silence" };
  }
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    yield await Promise.resolve(bytes.subarray(at, at + PIECE_BYTES));
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}

/** Whether the host was answered as anybody is: sealed, or by a refusal that has a code. */
export function isTypedAnswer({ status, type, bytes }: Carried, isTyped: (code: unknown) => boolean): boolean {
  if (status === 200) return type === SEALED_RESPONSE_TYPE;
  return isTyped(/"code":"([A-Z_]+)"/.exec(bytes.toString())?.[1]);
}

/** A failure on the way to the enclave, for what no host was answered with. */
export function isSilence(thrown: unknown): boolean {
  return thrown instanceof CmcpError && ON_THE_WAY.has(thrown.code);
}
