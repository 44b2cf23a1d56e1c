import { hash } from "node:crypto";
import { canonicalText, type JsonValue } from "@cmcp/boundary";

/** The canonical JSON (RFC 8785) of a value: its hash as of {@link canonicalHash}, and its length in UTF-8 bytes. */
export function measured(value: JsonValue): { readonly hash: string; readonly bytes: number } {
  const text = canonicalText(value);
  return { hash: `sha256:${hash("sha256", text, "hex")}`, bytes: Buffer.byteLength(text) };
}

/** `sha256:` and lowercase hex of the canonical JSON (RFC 8785) of a value. */
export function canonicalHash(value: JsonValue): string {
  return `sha256:${hash("sha256", canonicalText(value), "hex")}`;
}
