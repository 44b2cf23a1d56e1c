import { CmcpError, canonicalText, fromBase64Url } from "@cmcp/boundary";
import type { EntryServer } from "./entry/shape.ts";

/** What the catalog's `servers` say of a server beside its address and key. */
export interface ServerSettings {
  /** Unique among the catalog's servers. */
  readonly name: string;
  /** The era to speak; `auto` asks the server. */
  readonly era: "auto" | "modern" | "legacy";
  /** Name of the provisioned secret that is sent to it; `null` for none. Never the secret. */
  readonly credential: string | null;
}

interface NamedInCatalog {
  /** Identity in records and policy: the entry's `url` as written, or `stdio:` and the display name. */
  readonly identity: string;
  /** What policy and settings call it: its name in the catalog's `servers`, else its display name. */
  readonly name: string;
  readonly displayName: string;
  /** Whether the operator vouches for the text of its results: they do not make a session untrusted. */
  readonly integrity: "trusted" | "untrusted";
  /** Absent for a server that only tool entries bring along. */
  readonly settings?: ServerSettings;
}

/** A server that is reached over a network. */
export interface RemoteServer extends NamedInCatalog {
  readonly url: URL;
  readonly transport: "streamable-http" | "http-sse";
  /** SHA-256 of the server's SubjectPublicKeyInfo, 32 bytes; `null` when nothing is pinned. */
  readonly pin: Uint8Array | null;
  readonly rotationMode: "key-pinned";
  /** `tls-pinned` when the connection is held to {@link pin}; `hash-only` when only the definition is. */
  readonly evidenceClass: "tls-pinned" | "hash-only";
}

/** A server that is started beside the enclave and spoken to over its standard input and output. */
export interface StdioServer extends NamedInCatalog {
  readonly transport: "stdio";
  readonly spawn: NonNullable<EntryServer["spawn"]>;
  /** The most that can be recorded: `spawn-measured` when its files are held to a digest. */
  readonly evidenceClass: "spawn-measured" | "spawn-unmeasured";
}

/** A tool server the catalog names. */
export type CatalogServer = RemoteServer | StdioServer;

/** Whether two entries describe one server alike: same transport, integrity and key, same files and command line. */
export function sameServer(left: CatalogServer, right: CatalogServer): boolean {
  if (left.integrity !== right.integrity) return false;
  if (left.transport === "stdio")
    return right.transport === "stdio" && canonicalText(left.spawn) === canonicalText(right.spawn);
  if (right.transport === "stdio") return false;
  return (
    left.transport === right.transport &&
    (left.pin === null
      ? right.pin === null
      : right.pin !== null && left.pin.every((byte, index) => byte === right.pin?.[index]))
  );
}

/** `null` for a fingerprint that stands for "not recorded yet": one character repeated, as template catalogs have it. */
function pinOf(fingerprint: string, refuse: (why: string) => never): Uint8Array | null {
  const base64 = fingerprint.slice("SHA256:".length).replace("=", "");
  if (/^(.)\1*$/.test(base64)) return null;
  const bytes = fromBase64Url(base64.replaceAll("+", "-").replaceAll("/", "_"));
  return bytes?.byteLength === 32 ? bytes : refuse("tls_fingerprint is not canonical base64 of 32 bytes");
}

function urlOf(text: string | undefined, refuse: (why: string) => never): URL {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null) return refuse("server.url is missing or not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") return refuse("server.url must be https or http");
  if (url.username !== "" || url.password !== "") return refuse("server.url must not carry credentials");
  if (url.hash !== "") return refuse("server.url must not carry a fragment");
  return url;
}

function readStdioServer(
  { display_name: displayName, url, tls_fingerprint: fingerprint, spawn, integrity }: EntryServer,
  refuse: (why: string) => never,
): StdioServer {
  if (spawn === undefined) return refuse("a stdio server needs `spawn`");
  if (url !== undefined || fingerprint !== undefined)
    return refuse("a stdio server has neither url nor tls_fingerprint");
  return {
    identity: `stdio:${displayName}`,
    name: displayName,
    displayName,
    integrity,
    transport: "stdio",
    spawn,
    evidenceClass: spawn.binary_digest == null ? "spawn-unmeasured" : "spawn-measured",
  };
}

/**
 * The server of one entry. `what` is how messages name the entry. Without a pin on an https URL it is `hash-only`,
 * which only development allows.
 *
 * @throws CmcpError `CATALOG_INVALID`.
 */
export function readServer(what: string, server: EntryServer, developmentMode: boolean): CatalogServer {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `${what}: ${why}`);
  };
  if (server.transport === "stdio") return readStdioServer(server, refuse);
  if (server.rotation_mode === "cert-pinned") return refuse("rotation_mode is not supported");
  if (server.spawn !== undefined) return refuse("`spawn` is for stdio servers");
  const url = urlOf(server.url, refuse);
  const recorded = server.tls_fingerprint === undefined ? null : pinOf(server.tls_fingerprint, refuse);
  const pin = url.protocol === "https:" ? recorded : null;
  if (pin === null && !developmentMode) {
    refuse(
      url.protocol === "http:"
        ? `server ${url.href} is plain http, which cannot be pinned and is allowed only with CMCP_DEV_MODE=1; use https with a tls_fingerprint`
        : `server ${url.href} has no real tls_fingerprint, which is allowed only with CMCP_DEV_MODE=1; record SHA256:<base64 of the SHA-256 of its public key>`,
    );
  }
  return {
    identity: server.url ?? url.href,
    name: server.display_name,
    displayName: server.display_name,
    integrity: server.integrity,
    url,
    transport: server.transport,
    pin,
    rotationMode: "key-pinned",
    evidenceClass: pin === null ? "hash-only" : "tls-pinned",
  };
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** What an operator should know about a server that loads. */
export function serverWarnings(server: CatalogServer): readonly string[] {
  if (server.transport === "stdio")
    return server.evidenceClass === "spawn-measured"
      ? []
      : [`server ${server.identity} has no binary_digest: nothing tells which files run`];
  const warnings: string[] = [];
  if (server.url.protocol === "http:") {
    warnings.push(
      `server ${server.identity} is plain http${LOOPBACK.test(server.url.hostname) ? " on loopback" : ""}: nothing proves who answers`,
    );
  } else if (server.pin === null) {
    warnings.push(
      `server ${server.identity} has no pinned key: its tools cannot be called until a tls_fingerprint is recorded`,
    );
  }
  return warnings;
}
