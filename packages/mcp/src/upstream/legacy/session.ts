import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { SERVER_VERSIONS, isServerVersion, type ServerVersion } from "../../versions.ts";
import { supportsTasks } from "../../tasks/support.ts";
import { protocolFault } from "../fault.ts";
import { ServerLogLevel } from "../server-log-level.ts";
import type { SessionRouter } from "./session-router.ts";
import type { SessionStream } from "./session-stream.ts";
import { ServerRequests } from "./server-requests.ts";

/** One MCP session with a tool server. */
export interface UpstreamSession {
  /** `Mcp-Session-Id` the server gave; `null` when it keeps no sessions. */
  readonly id: string | null;
  readonly version: ServerVersion;
  readonly offers: Offers;
  readonly logLevel: ServerLogLevel;
  readonly requests: ServerRequests;
  readonly router: SessionRouter;
  readonly stream: SessionStream;
}

/** What a server says it can do, as far as requests depend on it. */
export interface Offers {
  /** Whether tool calls may be made as tasks. */
  readonly tasks: boolean;
  /** Whether its log level can be set. */
  readonly logging: boolean;
}

/** Characters of a session id. Some are signed tokens; longer ones no longer fit what servers take as headers. */
const MAX_SESSION_ID = 4_096;

/** What a server's capabilities come to here. */
export function readOffers(capabilities: JsonObject, version: string): Offers {
  return { tasks: supportsTasks(capabilities, version), logging: isJsonObject(capabilities.logging) };
}

/** Version and capabilities the server answered `initialize` with. Throws `UPSTREAM_PROTOCOL_ERROR` for a version not offered here. */
export function readNegotiated(result: JsonObject): Omit<UpstreamSession, "id" | "router" | "stream"> {
  const { protocolVersion, capabilities } = result;
  if (!isServerVersion(protocolVersion)) {
    throw protocolFault(`the tool server speaks none of the MCP versions ${SERVER_VERSIONS.join(", ")}`);
  }
  if (!isJsonObject(capabilities)) throw protocolFault("the tool server named no capabilities");
  return {
    version: protocolVersion,
    offers: readOffers(capabilities, protocolVersion),
    logLevel: new ServerLogLevel(),
    requests: new ServerRequests(),
  };
}

/** MCP "Session Management": visible ASCII (0x21 to 0x7E), because it is sent back as a header. */
export function readSessionId(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== "string" || header.length > MAX_SESSION_ID || !/^[\x21-\x7e]+$/.test(header)) {
    throw protocolFault("the tool server's Mcp-Session-Id is not acceptable");
  }
  return header;
}
