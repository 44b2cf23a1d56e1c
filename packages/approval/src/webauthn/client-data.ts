import { isJsonObject, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import { MAX_CLIENT_DATA_BYTES } from "../limits.ts";

/** What a browser says of the page that asked (WebAuthn Level 3, section 5.8.1). */
export interface ClientData {
  readonly type: string;
  /** Base64url. */
  readonly challenge: string;
  readonly origin: string;
  /** Whether the page was in a frame of another origin's. */
  readonly crossOrigin: boolean;
}

/** Reads `clientDataJSON`. Members that are not named here are skipped, as the specification asks. @returns `null` for what is none */
export function readClientData(data: Uint8Array): ClientData | null {
  let value: JsonValue;
  try {
    value = parseJson(untrusted(data), { maxBytes: MAX_CLIENT_DATA_BYTES, maxDepth: 4, maxItems: 64 });
  } catch {
    // Whatever is wrong with it, it is no client data.
    return null;
  }
  if (!isJsonObject(value)) return null;
  const { type, challenge, origin, crossOrigin = false, topOrigin } = value;
  if (typeof type !== "string" || typeof challenge !== "string" || typeof origin !== "string") return null;
  if (typeof crossOrigin !== "boolean") return null;
  return { type, challenge, origin, crossOrigin: crossOrigin || topOrigin !== undefined };
}
