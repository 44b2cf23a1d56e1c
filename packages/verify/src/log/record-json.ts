import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { CmcpError, isJsonObject, parseJson, untrusted, type JsonLimits, type JsonObject } from "@cmcp/boundary";
import { TILE_WIDTH, type Tile } from "@cmcp/log/format";
import type { LogFiles } from "./shown-log.ts";

const LEAF_LIMITS: JsonLimits = { maxBytes: 4096, maxDepth: 2, maxItems: 64 };
/** What the body of a record may be, as the gateway bounds it. */
const BODY_LIMITS: JsonLimits = { maxBytes: 16 * 1024 * 1024, maxDepth: 24, maxItems: 1_000_000 };

/** A bundle of a log's records. */
export interface Bundle {
  readonly crypto: VerifierCrypto;
  readonly files: LogFiles;
  readonly tile: Tile;
}

/** The members of a leaf; none for what is no leaf. */
export function leafObject(leaf: Uint8Array): JsonObject {
  return objectIn(leaf, LEAF_LIMITS);
}

/** The members of the body that a leaf of a bundle commits to; `null` where another one or none is there. */
export async function bodyOf(
  { crypto, files, tile }: Bundle,
  leaf: { readonly index: number; readonly bodyHash: string },
): Promise<JsonObject | null> {
  let index = tile.index * TILE_WIDTH;
  for await (const body of files.readBodies(tile)) {
    if (index === leaf.index)
      return leaf.bodyHash === `sha256:${await sha256Hex(crypto, body)}` ? objectIn(body, BODY_LIMITS) : null;
    index += 1;
  }
  return null;
}

/** The object that bytes are the strict JSON of; an empty one for anything else. */
function objectIn(bytes: Uint8Array, limits: JsonLimits): JsonObject {
  try {
    const value = parseJson(untrusted(bytes), limits);
    return isJsonObject(value) ? value : {};
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return {};
  }
}
