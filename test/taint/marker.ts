import { randomBytes } from "node:crypto";
import type { JsonObject, JsonValue } from "@cmcp/boundary";

/** Who put a marker somewhere. */
export type Origin = "agent" | "server";

/** One run's markers: texts that stand nowhere else, each naming its origin and its place. */
export class Markers {
  readonly #run = randomBytes(4).toString("hex");

  /** A marker of a place, which is named by letters, digits and hyphens. */
  at(origin: Origin, place: string): string {
    return `${this.stem(origin)}${place}-end`;
  }

  /** What every marker of an origin begins with. */
  stem(origin: Origin): string {
    return `${origin}${this.#run}-`;
  }

  /** The places whose markers of that origin stand in a text. */
  placesIn(origin: Origin, text: string): string[] {
    const pattern = new RegExp(`${origin}${this.#run}-([A-Za-z0-9-]+?)-end`, "g");
    return [...new Set([...text.matchAll(pattern)].map(([, place = ""]) => place))].sort();
  }
}

/** A member that holds objects by ids of the sender's own: another member there is another object, and no foreign one. */
const MAP = "inputRequests";

/** Puts a member that no schema has into every object of a value, and a `_meta` with names like the gateway's beside it. */
export function withForeignMembers(value: JsonObject, mark: (place: string) => string, path = "x"): JsonObject {
  const walk = (item: JsonValue, at: string): JsonValue => {
    if (Array.isArray(item)) return item.map((one, index) => walk(one, `${at}-${index}`));
    if (typeof item !== "object" || item === null) return item;
    const members = Object.entries(item).map(([name, member]) => [name, walk(member, `${at}-${safe(name)}`)] as const);
    if (at.endsWith(`-${MAP}`)) return Object.fromEntries(members);
    return { ...Object.fromEntries(members), ...foreign(mark, at), _meta: metaOf(item._meta, mark, at) };
  };
  return walk(value, path) as JsonObject;
}

function foreign(mark: (place: string) => string, at: string): JsonObject {
  return { unknownMember: mark(`${at}-unknown`), [mark(`${at}-name`)]: true, _cmcp: { said: mark(`${at}-cmcp`) } };
}

function metaOf(meta: JsonValue | undefined, mark: (place: string) => string, at: string): JsonObject {
  const own = typeof meta === "object" && meta !== null && !Array.isArray(meta) ? meta : {};
  return {
    "com.example/vendor": { said: mark(`${at}-vendor`) },
    "cmcp.gateway/receipt": { said: mark(`${at}-receipt`) },
    "cmcp.gateway/error": { said: mark(`${at}-error`) },
    "io.modelcontextprotocol/unknown": mark(`${at}-reserved`),
    baggage: `a=${mark(`${at}-baggage`)}`,
    ...own,
  };
}

function safe(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, "");
}
