import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { METHODS, type ListKind } from "../protocol/methods.ts";
import type { UpstreamAnswer } from "../peer.ts";
import { protocolFault, upstreamFault } from "./fault.ts";

/** Pages and members of one list. */
const MAX_PAGES = 64;
const MAX_LISTED = 4096;
/** Where each list is found, and what tells its members apart. */
const LISTS = METHODS.filter((method) => method.kind === "list");

/** The result of a request that nobody can give further input to. @throws CmcpError `UPSTREAM_INPUT_REQUIRED` */
export function completed(answer: UpstreamAnswer): JsonObject {
  if (answer.kind === "complete") return answer.result;
  throw upstreamFault(
    "UPSTREAM_INPUT_REQUIRED",
    "the tool server asks for further input, and nobody can be asked",
    true,
  );
}

/**
 * Reads a list page by page; each member has an identity of its own and is otherwise as it came.
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`
 */
export async function readList(
  kind: ListKind,
  ask: (method: string, params: JsonObject) => Promise<UpstreamAnswer>,
): Promise<JsonObject[]> {
  const found = LISTS.find(({ list }) => list.kind === kind);
  if (found === undefined) throw new TypeError("a list is missing from the table of methods");
  const { member, key } = found.list;
  const items = new Map<string, JsonObject>();
  let cursor: JsonObject = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const result = completed(await ask(found.name, cursor));
    const listed = result[member];
    if (!Array.isArray(listed)) throw protocolFault(`the tool server's list has no ${member}`);
    for (const item of listed) {
      const identity = isJsonObject(item) ? item[key] : undefined;
      if (!isJsonObject(item) || typeof identity !== "string" || items.has(identity))
        throw protocolFault(`the tool server lists one of its ${kind} without a ${key} of its own`);
      items.set(identity, item);
    }
    if (items.size > MAX_LISTED) break;
    if (result.nextCursor === undefined || result.nextCursor === null) return [...items.values()];
    cursor = { cursor: result.nextCursor };
  }
  throw protocolFault(`the tool server lists more than ${MAX_LISTED} ${kind} or ${MAX_PAGES} pages`);
}
