import type { JsonObject } from "@cmcp/boundary";

/** Most ids remembered in one call, the latest ones, and the longest id, in characters. */
const MAX_IDS = 64;
const MAX_ID_LENGTH = 256;

/** The ids of URL elicitations during one call. The server may announce the completion of each one once (MCP, "Elicitation"). */
export class UrlElicitations {
  readonly #ids = new Set<string>();

  /** Notes a question that the agent gets, if it is a URL elicitation. */
  add(method: string, { mode, elicitationId }: JsonObject): void {
    if (
      method !== "elicitation/create" ||
      mode !== "url" ||
      typeof elicitationId !== "string" ||
      elicitationId.length > MAX_ID_LENGTH
    )
      return;
    this.#ids.add(elicitationId);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= MAX_IDS) break;
      this.#ids.delete(oldest);
    }
  }

  /** Whether this announces the completion of a noted elicitation for the first time. */
  completes({ elicitationId }: JsonObject): boolean {
    return typeof elicitationId === "string" && this.#ids.delete(elicitationId);
  }
}
