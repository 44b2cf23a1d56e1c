export type { EgressDial, MessageHandler, StdioChannel } from "./channel/channel.ts";
export { Spawner, type Archive, type ArchiveSource, type StartOptions } from "./client.ts";
export { allowServer, allowServers, type AllowOptions, type CatalogSpawn } from "./allow.ts";
export { MAX_MESSAGE_BYTES, MAX_SERVERS, MAX_UNREAD_BYTES } from "./limits.ts";
export { DEFAULT_PROCESS_LIMITS, type ProcessLimits } from "./process/limits.ts";
export { requireSpawner } from "./require-spawner.ts";
export { StdioProcesses, type ProcessUse, type TrustIdentity } from "./process/processes.ts";
export type { ServerReply } from "./protocol/decode.ts";
export type { Status } from "./protocol/status.ts";
export { defaultServerSettings, stdioSchema, type StdioServerSettings, type StdioSettings } from "./schema.ts";
export {
  DEFAULT_BOUNDS,
  spawnEvidence,
  type AllowedServer,
  type Confinement,
  type ServerBounds,
  type SpawnEvidence,
} from "./server.ts";
