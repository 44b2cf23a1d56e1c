import { CmcpError } from "@cmcp/boundary";
import { DIGEST_BYTES } from "../limits.ts";
import type { Confinement } from "../server.ts";
import { STATUSES, type Status } from "./status.ts";

/** The spawner's reply to the archive of one server, or to one start. */
export interface ServerReply {
  readonly status: Status;
  /** SHA-256 of the server's tree, 32 bytes; meaningless if the status says that it could not be read. */
  readonly digest: Uint8Array;
}

/** Bytes of a {@link ServerReply} on the wire. */
export const SERVER_REPLY_BYTES = 1 + DIGEST_BYTES;
const CONFINEMENTS: readonly (Confinement | undefined)[] = [undefined, "confined", "none"];

/** Bytes of the answer to a table. */
export const TABLE_ANSWER_BYTES = 3;

function unknown(): never {
  throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner's answer is not one this version knows");
}

/** Reads {@link SERVER_REPLY_BYTES} bytes. @throws CmcpError `SPAWN_UNAVAILABLE` */
export function decodeServerReply(bytes: Uint8Array): ServerReply {
  const status = STATUSES[bytes[0] ?? STATUSES.length];
  if (status === undefined || bytes.byteLength !== SERVER_REPLY_BYTES) return unknown();
  return { status, digest: Uint8Array.from(bytes.subarray(1)) };
}

/** Reads the answer to a table of so many servers. @throws CmcpError `SPAWN_UNAVAILABLE` */
export function decodeTableAnswer(bytes: Uint8Array, servers: number): Confinement {
  const confinement = CONFINEMENTS[bytes[0] ?? 0];
  if (confinement === undefined || (bytes[1] ?? 0) * 256 + (bytes[2] ?? 0) !== servers) return unknown();
  return confinement;
}
