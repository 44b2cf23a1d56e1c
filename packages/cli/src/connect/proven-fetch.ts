import { createPrivateKey, type KeyObject } from "node:crypto";
import { CmcpError, isJsonObject, parseJson, untrusted } from "@cmcp/boundary";
import { proofFor, readNonce, readSigningPair, type SigningPair } from "@cmcp/oauth/proof";
import { readSmallFile } from "../read-file.ts";
import { notAGateway } from "../session/gateway-client.ts";

/** Path of the document that names the gateway's resource (RFC 9728). */
const METADATA = ".well-known/oauth-protected-resource";
/** End of a resource that is an MCP endpoint. What is below it is below its folder. */
const ENDPOINT = /\/mcp$/;
/** Largest metadata document in bytes. */
const MAX_METADATA_BYTES = 64 * 1024;
const BEARER = /^Bearer +(\S+)$/i;

/**
 * Reads the key that tokens are bound to: a private JWK, or PKCS #8 PEM, of P-256.
 * @throws CmcpError `USAGE`
 */
export async function readProofKey(path: string): Promise<SigningPair> {
  const bytes = await readSmallFile(path);
  try {
    const { kty, crv, x, y, d } = readPrivateKey(bytes).export({ format: "jwk" });
    if (kty !== "EC" || crv !== "P-256" || x === undefined || y === undefined || d === undefined)
      throw new TypeError("another kind of key");
    return await readSigningPair({ kty, crv, x, y, d });
  } catch (thrown) {
    throw new CmcpError(
      "USAGE",
      `${path}: not a private key of P-256 (ES256), as a JWK or in PEM without a passphrase`,
      {
        cause: thrown,
      },
    );
  }
}

function readPrivateKey(bytes: Uint8Array<ArrayBuffer>): KeyObject {
  const text = Buffer.from(bytes).toString("utf8");
  if (!text.trimStart().startsWith("{")) return createPrivateKey(text);
  const jwk = parseJson(untrusted(bytes));
  if (!isJsonObject(jwk)) throw new TypeError("not a JWK");
  const members = Object.entries(jwk).filter((member): member is [string, string] => typeof member[1] === "string");
  return createPrivateKey({ key: Object.fromEntries(members), format: "jwk" });
}

/** What proofs are made with, and for whom. */
export interface ProvenFetchPorts {
  /** Under the seal. */
  readonly fetch: typeof globalThis.fetch;
  readonly pair: SigningPair;
  /** The gateway's base URL. */
  readonly gateway: URL;
}

/**
 * A `fetch` that shows bearer tokens as tokens bound to a key, each with a proof of that key (RFC 9449). Proofs name the gateway's own
 * resource, which the enclave tells. A request that lacked the enclave's nonce did not run, and is sent once more with it.
 */
export function provenFetch({ fetch, pair, gateway }: ProvenFetchPorts): typeof globalThis.fetch {
  let nonce: string | null = null;
  let reading: Promise<URL> | null = null;
  const base = async (): Promise<URL> => {
    reading ??= resourceBase(fetch, gateway).catch((thrown: unknown) => {
      reading = null;
      throw thrown;
    });
    return await reading;
  };
  const once = async (url: URL, init: RequestInit, accessToken: string): Promise<Response> => {
    const { method = "GET" } = init;
    const about = { method, url: new URL(url.pathname.slice(gateway.pathname.length), await base()) };
    const proof = await proofFor(about, { pair, accessToken, nonce, now: Math.floor(Date.now() / 1000) });
    const headers = new Headers(init.headers);
    headers.set("authorization", `DPoP ${accessToken}`);
    headers.set("dpop", proof);
    const answer = await fetch(url, { ...init, headers });
    nonce = readNonce(answer.headers.get("dpop-nonce")) ?? nonce;
    return answer;
  };
  return async (input, init = {}) => {
    if (input instanceof Request) throw new TypeError("a request is an address and what goes with it");
    const accessToken = BEARER.exec(new Headers(init.headers).get("authorization") ?? "")?.[1];
    if (accessToken === undefined) return await fetch(input, init);
    const answer = await once(new URL(input), init, accessToken);
    if (answer.status !== 401 || !asksForNonce(answer)) return answer;
    await answer.body?.cancel();
    return await once(new URL(input), init, accessToken);
  };
}

function asksForNonce({ headers }: Response): boolean {
  return headers.get("www-authenticate")?.startsWith(`DPoP error="use_dpop_nonce"`) === true;
}

/** What the gateway's paths are below, by its own word. @throws CmcpError `GATEWAY_ANSWER_INVALID` */
async function resourceBase(fetch: typeof globalThis.fetch, gateway: URL): Promise<URL> {
  const answer = await fetch(new URL(METADATA, gateway));
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (!answer.ok)
    throw new CmcpError("GATEWAY_ANSWER_INVALID", "the gateway names no resource, so it takes no token bound to a key");
  const document = parseJson(untrusted(bytes), { maxBytes: MAX_METADATA_BYTES, maxDepth: 8, maxItems: 1_000 });
  const resource = isJsonObject(document) ? document.resource : undefined;
  const url = typeof resource === "string" ? URL.parse(resource) : null;
  if (url === null) throw notAGateway(gateway.href, "its resource is no address");
  url.pathname = url.pathname.replace(ENDPOINT, "/").replace(/\/?$/, "/");
  return url;
}
