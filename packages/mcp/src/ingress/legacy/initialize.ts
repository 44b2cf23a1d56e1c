import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { NEWEST_LEGACY_VERSION, isLegacyVersion, type LegacyVersion } from "../../versions.ts";
import { invalidParams } from "../refusal.ts";

/** MCP "Initialization": the requested version when it is spoken here, else the newest. */
export function readInitialize(params: JsonObject): LegacyVersion {
  const { protocolVersion, clientInfo } = params;
  if (typeof protocolVersion !== "string") throw invalidParams("protocolVersion must be a string");
  if (!isJsonObject(params.capabilities)) throw invalidParams("capabilities must be an object");
  if (!isJsonObject(clientInfo) || typeof clientInfo.name !== "string" || typeof clientInfo.version !== "string") {
    throw invalidParams("clientInfo needs a name and a version");
  }
  return isLegacyVersion(protocolVersion) ? protocolVersion : NEWEST_LEGACY_VERSION;
}
