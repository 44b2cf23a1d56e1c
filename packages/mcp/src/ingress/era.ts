import type { RpcMessage } from "../jsonrpc/message.ts";
import type { Era } from "../protocol/era.ts";
import { METHODS } from "../protocol/methods.ts";
import { RPC } from "../jsonrpc/reply.ts";
import { MODERN_VERSION, SUPPORTED_VERSIONS, isLegacyVersion } from "../versions.ts";
import { claimsEnvelope, readEnvelope } from "./modern/envelope.ts";
import { checkBodyHeaders, checkVersionHeader, headerMismatch } from "./modern/headers.ts";
import { Refusal, invalidParams, invalidRequest } from "./refusal.ts";
import type { RequestHeaders } from "./http-request.ts";

/** The gateway's own methods that only the modern era has: a request for one without an envelope is a modern one gone wrong. */
const MODERN_METHODS: readonly string[] = METHODS.filter(
  ({ kind, eras }) => kind === "local" && !eras.includes("legacy"),
).map(({ name }) => name);

/** -32022, with the versions to choose from (MCP 2026-07-28, Versioning, "Protocol Version Negotiation"). */
function unsupported(requested: string): Refusal {
  // Repeated only when it is worth repeating: the caller may have sent anything.
  const named = /^[0-9A-Za-z.-]{1,32}$/.test(requested) ? requested : "(unreadable)";
  return new Refusal(
    "NOT_SUPPORTED",
    RPC.unsupportedVersion,
    `MCP protocol version ${named} is not supported by this gateway`,
    {
      status: 400,
      data: { supported: [...SUPPORTED_VERSIONS], requested: named },
    },
  );
}

/** Throws -32022 when `MCP-Protocol-Version` names a version not spoken here. */
export function checkVersionSpoken(headers: RequestHeaders): void {
  const version = headers.get("mcp-protocol-version");
  if (version !== null && !SUPPORTED_VERSIONS.includes(version)) throw unsupported(version);
}

/** True when `MCP-Protocol-Version` names the modern era. */
export function namesModern(headers: RequestHeaders): boolean {
  return headers.get("mcp-protocol-version") === MODERN_VERSION;
}

function checkModern(message: RpcMessage & { kind: "request" | "notification" }, headers: RequestHeaders): void {
  const isRequest = message.kind === "request";
  // The modern era has no envelope for notifications of its own, so one without is known by its header.
  const version = isRequest || claimsEnvelope(message.params) ? readEnvelope(message.params) : MODERN_VERSION;
  checkVersionHeader(headers, version, isRequest);
  if (isLegacyVersion(version))
    throw invalidParams(`MCP ${version} has no envelope: open a session with initialize, or name ${MODERN_VERSION}`);
  if (version !== MODERN_VERSION) throw unsupported(version);
  // Serving it in another session than the one it names would forget what that session has seen.
  if (headers.get("mcp-session-id") !== null)
    throw invalidRequest(`Mcp-Session-Id belongs to sessions opened by initialize; MCP ${MODERN_VERSION} has none`);
  checkBodyHeaders(headers, message);
}

/**
 * The era of a message, by its body. The host could change headers, so they are held against the body. They decide
 * only for messages that carry no sign of their own.
 *
 * @throws Refusal for whatever mixes eras, lacks a part of its envelope, or disagrees with its headers.
 */
export function checkEra(message: RpcMessage, headers: RequestHeaders): Era {
  const modernHeader = namesModern(headers);
  if (message.kind === "result" || message.kind === "failure") {
    checkVersionSpoken(headers);
    if (modernHeader)
      throw invalidRequest(`MCP ${MODERN_VERSION} has no requests to clients, and so no answers from them`);
    return "legacy";
  }
  const claimed = claimsEnvelope(message.params);
  if (message.kind === "request" && message.method === "initialize" && !claimed) {
    if (modernHeader) throw headerMismatch("MCP-Protocol-Version", `names ${MODERN_VERSION}, which has no initialize`);
  } else if (
    claimed ||
    MODERN_METHODS.includes(message.method) ||
    (modernHeader && (message.kind === "request" || headers.get("mcp-session-id") === null))
  ) {
    checkModern(message, headers);
    return "modern";
  }
  checkVersionSpoken(headers);
  return "legacy";
}
