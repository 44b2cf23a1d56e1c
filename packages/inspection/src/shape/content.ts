import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { base64, either, integer, list, members, mimeType, number, text, uri, word, type Shape } from "./members.ts";

/** Longest text of a part; the size of the whole result is bounded besides. */
export const MAX_TEXT = 64 * 1024 * 1024;
/** Longest name, title or other single word. */
export const MAX_WORD = 1_024;
/** Longest description. */
export const MAX_DESCRIPTION = 16_384;
/** Most parts of a result. */
export const MAX_PARTS = 10_000;
const MAX_TIME = 64;

export const role: Shape = word("user", "assistant");

/** MCP 2025-11-25 "Annotations". */
const annotations = members({}, { audience: list(role, 2), priority: number(0, 1), lastModified: text(MAX_TIME) });

/** MCP 2025-11-25 "TextResourceContents", "BlobResourceContents": one of both, under a URI of this shape. */
export function contents(of: Shape): Shape {
  const about = { mimeType };
  return either(members({ uri: of, text: text(MAX_TEXT) }, about), members({ uri: of, blob: base64 }, about));
}

const media = members({ type: word("image", "audio"), data: base64, mimeType }, { annotations });

/** Content blocks by their type (MCP 2025-11-25 "ContentBlock"). */
const BLOCKS: Readonly<Record<string, Shape>> = {
  text: members({ type: word("text"), text: text(MAX_TEXT) }, { annotations }),
  image: media,
  audio: media,
  resource: members({ type: word("resource"), resource: contents(uri) }, { annotations }),
  resource_link: members(
    { type: word("resource_link"), uri, name: text(MAX_WORD) },
    { title: text(MAX_WORD), description: text(MAX_DESCRIPTION), mimeType, size: integer(), annotations },
  ),
};

/** A content block; `undefined` for one of a type the protocol does not have, and for one that is not as its type wants it. */
export const block: Shape = (value, at, surplus) => {
  const type = isJsonObject(value) ? value["type"] : undefined;
  return typeof type === "string" && Object.hasOwn(BLOCKS, type) ? BLOCKS[type]?.(value, at, surplus) : undefined;
};

/** Whether a value is a content block of a type that the protocol does not have. */
export function isOfUnknownType(value: JsonValue): value is JsonObject {
  return isJsonObject(value) && typeof value["type"] === "string" && !Object.hasOwn(BLOCKS, value["type"]);
}
