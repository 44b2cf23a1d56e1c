import { fromBase64Url } from "@cmcp/boundary";
import * as z from "zod";

const MAX_PATH = 1024;

function isContained(path: string): boolean {
  return !path.split(/[/\\]/).includes("..");
}

/** A path without `..`; relative ones are seen from the configuration file. */
export const relativePath = z
  .string()
  .min(1)
  .max(MAX_PATH)
  .refine((path) => !path.includes("\0"), { error: "must not contain a NUL character" })
  .refine(isContained, { error: "must not contain '..'" });

/** Name of a workflow: 1 to 128 printable ASCII characters without spaces, as a header can carry it. */
export const workflowId = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, { error: "must be 1 to 128 printable ASCII characters without spaces" });

/** The principal that CMCP_BEARER_TOKEN, and in tokenless development every request, stands for. */
export const DEFAULT_PRINCIPAL = "default";
/** The workflow of requests that name none, of callers that have several and this among them. */
export const DEFAULT_WORKFLOW = "default";

/** Name of a principal: 1 to 128 of letters, digits and `._:@/-`. */
export const principalId = z
  .string()
  .regex(/^[A-Za-z0-9._:@/-]{1,128}$/, { error: "must be 1 to 128 of letters, digits and ._:@/-" });

/** An Ed25519 public key: base64url of 32 bytes, without padding. */
export const publicKey = z
  .string()
  .refine((text) => fromBase64Url(text)?.length === 32, { error: "must be base64url of 32 bytes without padding" });

/** Bytes of an auditor's public key: X-Wing, or X25519. As `packages/seal` has them. */
const AUDITOR_KEY_BYTES: readonly number[] = [1_216, 32];

/** An auditor's public key: base64url of 1216 or 32 bytes, without padding. */
export const auditorKey = z
  .string()
  .max(1_622)
  .refine((text) => AUDITOR_KEY_BYTES.includes(fromBase64Url(text)?.length ?? 0), {
    error: "must be base64url of 1216 bytes (X-Wing) or 32 bytes (X25519) without padding",
  });

/** A web origin exactly as browsers send it (RFC 6454 section 6.1): scheme, host, port if not the default. */
export const origin = z
  .string()
  .max(300)
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text, {
    error: "must be an origin such as https://app.example.org, without path or trailing slash",
  });

/** A host name, IPv4 address or bracketed IPv6 address with a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))):([0-9]{1,5})$/;

/** Reads `host:port` or `[IPv6]:port`; `undefined` for anything else. Port 0 asks for any free port. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = HOST_PORT.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) return undefined;
  if (match?.[1] !== undefined && !URL.canParse(`http://[${host}]/`)) return undefined;
  return { host, port };
}

/** `host:port` of a destination. */
export const hostPort = z
  .string()
  .max(300)
  .refine((text) => (parseHostPort(text)?.port ?? 0) > 0, { error: "must be host:port or [IPv6]:port" });

/** Whether an address can only be reached from this machine. A name other than localhost may resolve to anything. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost") return true;
  const four = /^127\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/.exec(name);
  if (four !== null) return four.slice(1).every((part) => Number(part) <= 255);
  return name.includes(":") && URL.canParse(`http://[${name}]/`) && new URL(`http://[${name}]/`).hostname === "[::1]";
}
