import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { logLevel } from "../../log-level.ts";
import { META } from "../../modern/meta-keys.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import { Refusal } from "../refusal.ts";

/** Names and versions of a client are for display; longer ones are refused rather than cut. */
const MAX_TEXT = 256;

/** -32602 with the key at fault in `data.envelope` (MCP 2026-07-28, Base Protocol, "_meta"). */
function invalid(key: string, problem: string): Refusal {
  return new Refusal(
    "MCP_INVALID_REQUEST",
    RPC.invalidParams,
    `the request's _meta envelope is not valid: ${key} ${problem}`,
    {
      data: { envelope: { key, problem } },
    },
  );
}

function metaOf(params: JsonObject | null): JsonObject | null {
  const meta = params?._meta;
  return isJsonObject(meta) ? meta : null;
}

function isText(value: JsonValue | undefined): boolean {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

/**
 * True when the parameters carry any part that only an envelope has. A part of one is not taken for none:
 * what reads it differently on the way must not choose the era.
 */
export function claimsEnvelope(params: JsonObject | null): boolean {
  const meta = metaOf(params);
  return (
    meta !== null &&
    [META.protocolVersion, META.clientInfo, META.clientCapabilities].some((key) => Object.hasOwn(meta, key))
  );
}

/**
 * The protocol version of a request's envelope. Client name and capabilities are checked and no more: they
 * are the client's own word, and nothing is asked of a client.
 *
 * @throws Refusal -32602, naming the first key at fault.
 */
export function readEnvelope(params: JsonObject | null): string {
  const meta = metaOf(params);
  if (meta === null) throw invalid("_meta", params?._meta === undefined ? "is missing" : "must be an object");
  const version = meta[META.protocolVersion];
  const client = meta[META.clientInfo];
  const level = meta[META.logLevel];
  if (version === undefined) throw invalid(META.protocolVersion, "is missing");
  if (typeof version !== "string") throw invalid(META.protocolVersion, "must be a string");
  if (meta[META.clientCapabilities] === undefined) throw invalid(META.clientCapabilities, "is missing");
  if (!isJsonObject(meta[META.clientCapabilities])) throw invalid(META.clientCapabilities, "must be an object");
  if (client !== undefined && !(isJsonObject(client) && isText(client.name) && isText(client.version))) {
    throw invalid(META.clientInfo, `needs a name and a version of at most ${MAX_TEXT} characters`);
  }
  if (level !== undefined && logLevel(level) === undefined) throw invalid(META.logLevel, "is not a log level");
  return version;
}
