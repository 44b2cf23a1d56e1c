import { untrusted } from "@cmcp/boundary";
import {
  chooseKey,
  encodeRequest,
  padMessage,
  parseKeyConfigs,
  readResponse,
  SEALED_REQUEST_TYPE,
  sealRequest,
  type GatewayKey,
  type SealedRequest,
} from "@cmcp/seal";
import { requestBytes, type Answer } from "./connection.ts";

const LIMITS = { contentBytes: 64 * 1024 * 1024, paddingBytes: 64 * 1024 * 1024 };

/** A request that is sealed already: bytes for a connection, and what opens its answer. */
export interface Prepared {
  readonly request: Buffer;
  /** Bytes of the sealed message, without the head of the HTTP request around it. */
  readonly sealedBytes: number;
  readonly open: SealedRequest["openAnswer"];
}

/** The key that a gateway is sealed to. The bench is no relying party: nothing is verified. */
export async function sealKeyOf(port: number): Promise<GatewayKey> {
  const answer = await fetch(`http://127.0.0.1:${port}/attestation`);
  const { seal } = (await answer.json()) as { readonly seal: { readonly key_configs: string } };
  return chooseKey(parseKeyConfigs(untrusted(Buffer.from(seal.key_configs, "base64url"))));
}

/** Seals one request to `/mcp`. */
export async function prepare(
  key: GatewayKey,
  method: "POST" | "DELETE",
  headers: Readonly<Record<string, string>>,
  { body, padded = true }: { readonly body: string; readonly padded?: boolean },
): Promise<Prepared> {
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const head = { method, scheme: "http", authority: "127.0.0.1", path: "/mcp", fields };
  const message = encodeRequest(head, { content: Buffer.from(body) });
  const sealed = sealRequest(key, only(padded ? padMessage(message) : message));
  const bytes = await collected(sealed.bytes);
  const request = requestBytes("POST", { "content-type": SEALED_REQUEST_TYPE }, bytes, "/sealed");
  return { request, sealedBytes: bytes.length, open: sealed.openAnswer };
}

/** Opens the answer to a request, as one of a request in the clear. @throws Error for one that the host gave */
export async function opened({ open }: Pick<Prepared, "open">, { status, body }: Answer): Promise<Answer> {
  if (status !== 200) throw new Error(`a sealed request was answered ${status}: ${body.slice(0, 200)}`);
  const { head, content } = await readResponse(open(only(Buffer.from(body, "latin1"))), LIMITS);
  const headers = new Map(head.fields.map(({ name, value }) => [name, value]));
  return { status: head.status, headers, body: (await collected(content)).toString("latin1") };
}

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}
