import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { LEGACY_VERSIONS, isLegacyVersion, type LegacyVersion } from "../../versions.ts";
import { protocolFault } from "../fault.ts";

/** One MCP session with a tool server. */
export interface UpstreamSession {
  /** `Mcp-Session-Id` the server gave; `null` when it keeps no sessions. */
  readonly id: string | null;
  readonly version: LegacyVersion;
}

const MAX_SESSION_ID = 512;

/** The version the server answered `initialize` with. Throws `UPSTREAM_PROTOCOL_ERROR` for one not offered here. */
export function readNegotiated(result: JsonObject): LegacyVersion {
  const { protocolVersion, capabilities } = result;
  if (!isLegacyVersion(protocolVersion)) {
    throw protocolFault(`the tool server speaks none of the MCP versions ${LEGACY_VERSIONS.join(", ")}`);
  }
  if (!isJsonObject(capabilities)) throw protocolFault("the tool server named no capabilities");
  return protocolVersion;
}

/** MCP "Session Management": visible ASCII (0x21 to 0x7E), because it is sent back as a header. */
export function readSessionId(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== "string" || header.length > MAX_SESSION_ID || !/^[\x21-\x7e]+$/.test(header)) {
    throw protocolFault("the tool server's Mcp-Session-Id is not acceptable");
  }
  return header;
}
