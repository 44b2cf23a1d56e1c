import { hash } from "node:crypto";
import { canonicalText, type JsonValue } from "@cmcp/boundary";

/** `sha256:` and lowercase hex of the canonical JSON (RFC 8785) of a value. */
export function canonicalHash(value: JsonValue): string {
  return `sha256:${hash("sha256", canonicalText(value), "hex")}`;
}
