import type { Duplex } from "node:stream";
import { BufferedBytes, type BufferShare } from "@cmcp/boundary";
import type { RequestAuthorization } from "./authorization.ts";
import type { ChainTrust } from "./chain.ts";
import type { ClientIdentity } from "./trusted-roots.ts";

/** Opens a byte stream to a host and port, by name; the only way anything here reaches a network. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** What every connection that ends in TLS here has. */
interface TlsSettings {
  /** The time that certificates' dates are held to, in milliseconds since 1970. */
  readonly now: () => number;
  /** For a server that asks for a certificate; without it none is shown. */
  readonly client?: ClientIdentity;
}

/**
 * How the server is known. `pinned`: the key of the leaf certificate must have this SHA-256 (32 bytes, over the DER
 * SubjectPublicKeyInfo). `chain`: authorities under these roots vouch for the host name, and one of them has a pinned key
 * where there are pins. With `spiffeId` they vouch for that SPIFFE ID instead of the host name. `none`: plain HTTP, for
 * development.
 */
export type UpstreamTls =
  | (TlsSettings & { readonly mode: "pinned"; readonly spkiSha256: Uint8Array })
  | (TlsSettings & { readonly mode: "chain" } & Omit<ChainTrust, "now">)
  | { readonly mode: "none" };

/** Bounds on a tool server. Times in milliseconds, sizes in bytes. */
export interface UpstreamLimits {
  /** Dialling and the TLS handshake together. */
  readonly connectMs: number;
  /** From the request's first byte to the end of the answer's headers. */
  readonly headersMs: number;
  /** Between two pieces of the answer's body. */
  readonly idleMs: number;
  /** One exchange, waiting for a connection included. */
  readonly totalMs: number;
  /** Body of one answer as it stands on the wire. */
  readonly maxResponseBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  /** Exchanges that run or wait for a connection at the same time. */
  readonly maxExchanges: number;
}

/**
 * 10 s to connect, 60 s to headers and between bytes, 2 min in all; 2 MiB; 512 connections: no exchange that may run
 * waits for the connection of another.
 */
export const DEFAULT_UPSTREAM_LIMITS: UpstreamLimits = {
  connectMs: 10_000,
  headersMs: 60_000,
  idleMs: 60_000,
  totalMs: 120_000,
  maxResponseBytes: 2 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 512,
  maxExchanges: 512,
};

export interface UpstreamOptions {
  /** The MCP endpoint: `https:` with TLS, `http:` without. Host and port are handed to `dial` as they stand. */
  readonly url: URL;
  readonly dial: Dial;
  readonly tls: UpstreamTls;
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly limits?: Partial<UpstreamLimits>;
  /** The era the server is approved to speak; without it the server is asked. */
  readonly era?: "modern" | "legacy";
  /** Where the bytes are counted that are held of the server's answers; without it the bound is the server's own. */
  readonly buffered?: BufferedBytes;
  /** The bearer token that every request to the server carries, as it is at that moment; it may throw where there is none yet. */
  readonly credential?: () => string;
  /** What authorizes each request instead, where tokens are got and renewed. */
  readonly authorization?: RequestAuthorization;
}

/** Makes the shares of a server's exchanges: all of them are the server's. */
export function sharesOf({ url, buffered = new BufferedBytes() }: UpstreamOptions): () => BufferShare {
  return () => buffered.share(`server:${url.href}`);
}
