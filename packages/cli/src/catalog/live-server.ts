import { hash } from "node:crypto";
import { once } from "node:events";
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { CmcpError, fromBase64Url, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient, type Dial, type ListKind } from "@cmcp/mcp";

/** How long connecting may take, in milliseconds. */
const CONNECT_MS = 10_000;
/** How long reading the whole list may take, in milliseconds. */
const LIST_MS = 60_000;

/** Something as its server lists it. */
export interface LiveItem {
  /** A tool's or prompt's name, a resource's URI, a template's text. */
  readonly name: string;
  readonly listed: JsonObject;
}

/** A server as it answered. */
export interface LiveServer {
  readonly url: URL;
  /** `SHA256:` and base64 of the SHA-256 of its SubjectPublicKeyInfo; `null` over plain http. */
  readonly fingerprint: string | null;
  /** What it lists, each with a name of its own; nothing of a kind that was not asked for. */
  readonly lists: Readonly<Record<ListKind, readonly LiveItem[]>>;
}

/** The member of a listing that names it. */
const NAMES: Readonly<Record<ListKind, string>> = {
  tools: "name",
  prompts: "name",
  resources: "uri",
  templates: "uriTemplate",
};
/** JSON-RPC 2.0, section 5.1: how a server says that it has nothing of a kind. */
const METHOD_NOT_FOUND = -32601;

/** Connects from this machine directly: the operator asks the server, the gateway is not involved. */
const dial: Dial = async (host, port, signal) => {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw new CmcpError("UPSTREAM_UNAVAILABLE", `no connection to ${host} port ${port}`, { cause: thrown });
  }
};

interface SeenKey {
  readonly spkiSha256: Uint8Array;
  /** The chain leads to a certificate authority this machine trusts, for this host. */
  readonly vouchedFor: boolean;
}

async function seeKey(url: URL): Promise<SeenKey> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 443 : Number(url.port);
  const signal = AbortSignal.timeout(CONNECT_MS);
  // nosemgrep: no-unverified-tls — nothing is sent here; whether an authority vouches is returned and decided on
  const socket = connectTls({
    socket: await dial(host, port, signal),
    host,
    servername: isIP(host) === 0 ? host : "",
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect", { signal });
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined)
      throw new CmcpError("UPSTREAM_IDENTITY_MISMATCH", "the server presented no certificate");
    const spkiSha256 = hash("sha256", certificate.publicKey.export({ type: "spki", format: "der" }), "buffer");
    return { spkiSha256, vouchedFor: socket.authorized };
  } catch (thrown) {
    throw thrown instanceof CmcpError
      ? thrown
      : new CmcpError("UPSTREAM_UNAVAILABLE", `the TLS handshake with ${host} port ${port} failed`, { cause: thrown });
  } finally {
    socket.on("error", () => undefined);
    socket.destroy();
  }
}

/** Key pin of a fingerprint as a catalog writes it. @throws CmcpError `USAGE` */
function pinOf(fingerprint: string): Uint8Array {
  const [, base64 = ""] = /^SHA256:([A-Za-z0-9+/]{43})=?$/.exec(fingerprint) ?? [];
  const bytes = fromBase64Url(base64.replaceAll("+", "-").replaceAll("/", "_"));
  if (bytes?.byteLength !== 32) throw new CmcpError("USAGE", "--pin is SHA256: and the base64 of 32 bytes");
  return bytes;
}

/**
 * The key to hold the server to. Without a required one the first key seen is taken, but only if an authority
 * this machine trusts vouches for it: otherwise whoever sits in between would write the catalog.
 */
async function keyOf(url: URL, required: string | undefined): Promise<Uint8Array | null> {
  if (url.protocol === "http:") {
    if (required !== undefined) throw new CmcpError("USAGE", "--pin needs an https URL");
    return null;
  }
  if (required !== undefined) return pinOf(required);
  const { spkiSha256, vouchedFor } = await seeKey(url);
  if (!vouchedFor) {
    throw new CmcpError(
      "UPSTREAM_IDENTITY_MISMATCH",
      `no certificate authority that this machine trusts vouches for ${url.host}, which presented the key ${fingerprintOf(spkiSha256)}. ` +
        "Compare it with the server's owner and give it as --pin",
    );
  }
  return spkiSha256;
}

function fingerprintOf(spkiSha256: Uint8Array): string {
  return `SHA256:${Buffer.from(spkiSha256).toString("base64")}`;
}

/** A server's URL from the command line. @throws CmcpError `USAGE` */
export function serverUrl(text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    (url.protocol !== "https:" && url.protocol !== "http:") ||
    url.username !== "" ||
    url.password !== "" ||
    url.hash !== ""
  ) {
    throw new CmcpError("USAGE", "URL is an https or http URL without credentials and fragment");
  }
  return url;
}

async function list(client: UpstreamClient, kind: ListKind): Promise<readonly LiveItem[]> {
  try {
    const items = await client.list("catalog", kind, AbortSignal.timeout(LIST_MS));
    return items.flatMap((listed) => {
      const name = listed[NAMES[kind]];
      return typeof name === "string" ? [{ name, listed }] : [];
    });
  } catch (thrown) {
    if (
      kind !== "tools" &&
      thrown instanceof CmcpError &&
      thrown.code === "UPSTREAM_CALL_REFUSED" &&
      thrown.detail["rpc_code"] === METHOD_NOT_FOUND
    )
      return [];
    throw thrown;
  }
}

/** Reads what a server lists now, over streamable HTTP, every connection held to one key. */
export async function readLiveServer(
  url: URL,
  requiredPin: string | undefined,
  kinds: readonly ListKind[] = ["tools"],
): Promise<LiveServer> {
  const key = await keyOf(url, requiredPin);
  const client = new UpstreamClient({
    url,
    dial,
    tls: key === null ? { mode: "none" } : { mode: "pinned", spkiSha256: key },
    clientInfo: { name: "cmcp-catalog", version: "0.1.0" },
    limits: { connectMs: CONNECT_MS, totalMs: LIST_MS },
  });
  try {
    const lists: Record<ListKind, readonly LiveItem[]> = { tools: [], prompts: [], resources: [], templates: [] };
    for (const kind of kinds) lists[kind] = await list(client, kind);
    await client.closeSession("catalog");
    return { url, fingerprint: key === null ? null : fingerprintOf(key), lists };
  } finally {
    await client.close();
  }
}
