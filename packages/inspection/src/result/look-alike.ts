import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { readTextContent, writeTextContent } from "./text.ts";

const letters = (name: string): string => name.normalize("NFKC").toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** A name that only the gateway puts anywhere into a result. */
function isGatewayField(name: string): boolean {
  // Most names are told by their first letter: normalization turns nothing in ASCII into an underscore, nor an underscore into anything else.
  const first = name[0] ?? "";
  if (first !== "_" && first <= "\u007f") return false;
  return letters(name) === "cmcp" && name.normalize("NFKC").startsWith("_");
}

/** A name in `_meta` that a client could take for the gateway's word: its prefix, or anything called a receipt. */
function isGatewayMeta(name: string): boolean {
  return /cmcp|receipt|agentrust/.test(letters(name));
}

function without(value: JsonValue, inMeta: boolean, path: string, removed: string[]): JsonValue {
  if (Array.isArray(value)) return value.map((item, index) => without(item, inMeta, `${path}[${index}]`, removed));
  if (!isJsonObject(value)) return value;
  const out: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const at = path === "" ? name : `${path}.${name}`;
    if (isGatewayField(name) || (inMeta && isGatewayMeta(name))) removed.push(at);
    else out[name] = without(member, inMeta || name === "_meta", at, removed);
  }
  return out;
}

function withoutInText(block: JsonValue, at: string, removed: string[]): JsonValue {
  if (!isJsonObject(block) || block["type"] !== "text" || typeof block["text"] !== "string") return block;
  const read = readTextContent(block["text"]);
  if (read.kind !== "json") return block;
  const before = removed.length;
  const value = without(read.value, false, at, removed);
  return removed.length === before ? block : { ...block, text: writeTextContent(value) };
}

/**
 * Removes what a tool's result could pass off as written by the gateway: `_cmcp` members at any depth, and
 * receipt-like members below any `_meta`; in JSON texts as well, so that these stay equal to the structured content.
 */
export function removeLookAlikes(result: JsonObject, removed: string[]): JsonObject {
  const out = without(result, false, "", removed) as JsonObject;
  const { content } = out;
  if (Array.isArray(content)) out["content"] = content.map((block, index) => withoutInText(block, `content[${index}]`, removed));
  return out;
}
