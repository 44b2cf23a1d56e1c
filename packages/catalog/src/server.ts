import { CmcpError, canonicalText } from "@cmcp/boundary";
import type { AuthorizationSettings } from "./authorization.ts";
import type { EntryServer } from "./entry/shape.ts";
import type { Provenance } from "./provenance/provenance.ts";
import { readTrust, sameTrust, type ServerTrust } from "./trust.ts";

/** What the catalog's `servers` say of a server beside its address and key. */
export interface ServerSettings {
  /** Unique among the catalog's servers. */
  readonly name: string;
  /** The era to speak; `auto` asks the server. */
  readonly era: "auto" | "modern" | "legacy";
  /** Name of the provisioned secret that is sent to it; `null` for none. Never the secret. */
  readonly credential: string | null;
  /** How tokens for it are got instead; `null` where none are. */
  readonly authorization: AuthorizationSettings | null;
  /** Whether the instance shows its client certificate to it. */
  readonly clientCertificate: boolean;
  /** What its publisher or an observer signed about it; `null` for nothing. */
  readonly provenance: Provenance | null;
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
  /** What the connection is held to; `null` when to nothing. */
  readonly trust: ServerTrust | null;
  readonly rotationMode: "key-pinned";
  /**
   * `tls-pinned` when the connection is held to the server's own key. `hash-only` otherwise: other readers of the record know no
   * class for authorities, so the detail of each call says who was found.
   */
  readonly evidenceClass: "tls-pinned" | "hash-only";
}

/** A server that is started beside the enclave and spoken to over its standard input and output. */
export interface StdioServer extends NamedInCatalog {
  readonly transport: "stdio";
  readonly spawn: NonNullable<EntryServer["spawn"]>;
  /** The most that can be recorded: `spawn-measured` when its files are held to a digest. */
  readonly evidenceClass: "spawn-measured" | "spawn-unmeasured";
}

/** The gateway itself, for a tool of its own. It is none of a catalog's servers, and nothing is sent to it. */
export interface GatewayServer extends NamedInCatalog {
  readonly transport: "gateway";
  readonly evidenceClass: "hash-only";
}

/** Who answers the calls of a tool: a server that the catalog names, or the gateway. */
export type CatalogServer = RemoteServer | StdioServer | GatewayServer;

/** Whether two entries describe one server alike: same transport, integrity and key, same files and command line. */
export function sameServer(left: CatalogServer, right: CatalogServer): boolean {
  if (left.integrity !== right.integrity) return false;
  if (left.transport === "stdio")
    return right.transport === "stdio" && canonicalText(left.spawn) === canonicalText(right.spawn);
  if (left.transport === "gateway" || right.transport === "gateway") return left.transport === right.transport;
  if (right.transport === "stdio") return false;
  return left.transport === right.transport && sameTrust(left.trust, right.trust);
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
  { display_name: displayName, url, tls_fingerprint: fingerprint, spawn, integrity, ...rest }: EntryServer,
  refuse: (why: string) => never,
): StdioServer {
  if (rest.trust !== undefined || rest.roots !== undefined || rest.issuer_pins !== undefined || rest.spiffe_id != null)
    return refuse("a stdio server has no TLS: neither trust nor roots nor issuer_pins nor spiffe_id");
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
 * The server of one entry. `what` is how messages name the entry. An https URL without a pin or other trust, and
 * plain http, are for development only.
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
  const trust = readTrust(server, url, refuse);
  if (trust === null && !developmentMode) {
    refuse(
      url.protocol === "http:"
        ? `server ${url.href} is plain http, which cannot be pinned and is allowed only with CMCP_DEV_MODE=1; use https with a tls_fingerprint`
        : `server ${url.href} has no real tls_fingerprint, which is allowed only with CMCP_DEV_MODE=1; record SHA256:<base64 of the SHA-256 of its public key>, or have authorities vouch for it with trust webpki, private-ca or spiffe`,
    );
  }
  return {
    identity: server.url ?? url.href,
    name: server.display_name,
    displayName: server.display_name,
    integrity: server.integrity,
    url,
    transport: server.transport,
    trust,
    rotationMode: "key-pinned",
    evidenceClass: trust?.kind === "pinned" ? "tls-pinned" : "hash-only",
  };
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** What an operator should know about a server that loads. */
export function serverWarnings(server: CatalogServer): readonly string[] {
  if (server.transport === "gateway") return [];
  if (server.transport === "stdio")
    return server.evidenceClass === "spawn-measured"
      ? []
      : [`server ${server.identity} has no binary_digest: nothing tells which files run`];
  const warnings: string[] = [];
  if (server.url.protocol === "http:") {
    warnings.push(
      `server ${server.identity} is plain http${LOOPBACK.test(server.url.hostname) ? " on loopback" : ""}: nothing proves who answers`,
    );
  } else if (server.trust === null) {
    warnings.push(
      `server ${server.identity} has no pinned key: its tools cannot be called until a tls_fingerprint is recorded`,
    );
  }
  return warnings;
}
