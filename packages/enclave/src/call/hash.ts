import { createHash } from "node:crypto";
import { canonicalBytes, type JsonValue } from "@cmcp/boundary";

/** `sha256:` and lowercase hex of the canonical JSON (RFC 8785) of a value. */
export function canonicalHash(value: JsonValue): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(value)).digest("hex")}`;
}
