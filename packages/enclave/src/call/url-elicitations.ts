import type { JsonObject } from "@cmcp/boundary";

/** Ids of one call that are remembered, beyond which the oldest is forgotten; and the longest of them, in characters. */
const MAX_IDS = 64;
const MAX_ID_LENGTH = 256;

/** The URLs that an agent was sent to during one call, by the ids that the server gave them: it may say that it is done there. */
export class UrlElicitations {
  readonly #ids = new Set<string>();

  /** A question is put to the agent. */
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

  /** True for what the agent was asked for and has not been told of. */
  completes({ elicitationId }: JsonObject): boolean {
    return typeof elicitationId === "string" && this.#ids.delete(elicitationId);
  }
}
