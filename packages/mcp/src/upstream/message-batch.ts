import {
  CmcpError,
  DEFAULT_JSON_LIMITS,
  asCmcpError,
  parseJson,
  parseJsonText,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import { readMessage, type RpcMessage } from "../jsonrpc/message.ts";
import { protocolFault } from "./fault.ts";

/** Messages of one batch. */
const MAX_BATCH = 64;

/**
 * What a server sent in one piece, in its order: a message or, of a version that has them, a batch (MCP 2025-03-26, "Batching"),
 * of which all are messages or none is taken.
 *
 * @param batches whether the server's version has them
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`
 */
export function readMessages(
  piece: Untrusted<Uint8Array> | string,
  maxBytes: number,
  batches: boolean,
): readonly RpcMessage[] {
  const limits = { ...DEFAULT_JSON_LIMITS, maxBytes };
  try {
    const value = typeof piece === "string" ? parseJsonText(piece, limits) : parseJson(piece, limits);
    return batches && Array.isArray(value) ? readBatch(value) : [readMessage(value)];
  } catch (thrown) {
    const cause = asCmcpError(thrown, "JSON_SYNTAX", "not JSON");
    throw protocolFault(
      `the tool server sent something that is not an MCP message: ${cause.message}`,
      { cause_code: cause.code },
      cause,
    );
  }
}

function readBatch(values: readonly JsonValue[]): readonly RpcMessage[] {
  if (values.length === 0 || values.length > MAX_BATCH)
    throw new CmcpError("MCP_INVALID_REQUEST", `a batch has 1 to ${MAX_BATCH} messages`);
  return values.map(readMessage);
}
