import { isJsonObject } from "@cmcp/boundary";
import type { RpcMessage } from "../jsonrpc/message.ts";
import { RPC } from "../jsonrpc/reply.ts";
import { LEGACY_VERSIONS, isLegacyVersion } from "../versions.ts";
import { Refusal } from "./refusal.ts";

/** What a request of the stateless era carries in every `params._meta` (MCP 2026-07-28, "Request Metadata"). */
const ENVELOPE_VERSION = "io.modelcontextprotocol/protocolVersion";
const MODERN_METHODS: readonly string[] = ["server/discover", "subscriptions/listen"];

function unsupported(requested: string): Refusal {
  return new Refusal("NOT_SUPPORTED", RPC.unsupportedVersion, `MCP protocol version ${requested} is not supported by this gateway yet`, {
    status: 400,
    data: { supported: [...LEGACY_VERSIONS], requested },
  });
}

/** A version worth repeating in an answer. */
function named(version: unknown): string {
  return typeof version === "string" && /^[0-9A-Za-z.-]{1,32}$/.test(version) ? version : "(unreadable)";
}

/** Throws 400 when `MCP-Protocol-Version` names a version outside the legacy era. */
export function checkVersionHeader(headers: Headers): void {
  const version = headers.get("mcp-protocol-version");
  if (version !== null && !isLegacyVersion(version)) throw unsupported(named(version));
}

/** Throws 400 for a message of an era this gateway does not speak, whatever its headers say. */
export function checkMessageEra(message: RpcMessage): void {
  if (message.kind !== "request" && message.kind !== "notification") return;
  const meta = message.params?._meta;
  if (isJsonObject(meta) && ENVELOPE_VERSION in meta) throw unsupported(named(meta[ENVELOPE_VERSION]));
  if (MODERN_METHODS.includes(message.method)) throw unsupported("2026-07-28");
}
