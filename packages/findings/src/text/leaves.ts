import type { JsonValue } from "@cmcp/boundary";

/** Most leaves that are given: member names, strings and numbers. */
export const MAX_LEAVES = 65_536;
/** Deepest level that is walked; the value itself is level 0. */
export const MAX_LEAF_DEPTH = 64;
/** Longest member name in a path, in UTF-16 units; of a longer one its start stands there. */
const MAX_STEP = 128;

/** One text of a JSON value. */
export interface Leaf {
  /** JSON pointer (RFC 6901) of the value, or of the member whose name this is. */
  readonly path: string;
  readonly text: string;
  /** What it is: a member's name carries data as well as its value does, and a number may be a card's. */
  readonly kind: "name" | "string" | "number";
}

/** The texts of a value in the order of the document, and whether they are all. */
export interface Leaves {
  readonly leaves: readonly Leaf[];
  readonly complete: boolean;
}

function step(path: string, key: string): string {
  return `${path}/${key.slice(0, MAX_STEP).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

interface Visited {
  readonly path: string;
  readonly value: JsonValue;
  readonly depth: number;
}

/** Members of a value, last first, so that a stack gives them in order. */
function membersOf({ path, value, depth }: Visited): { name: string | null; child: Visited }[] {
  if (typeof value !== "object" || value === null) return [];
  const deeper = depth + 1;
  const members = Array.isArray(value)
    ? value.map((item, index) => ({ name: null, child: { path: `${path}/${index}`, value: item, depth: deeper } }))
    : Object.entries(value).map(([name, member]) => ({
        name,
        child: { path: step(path, name), value: member, depth: deeper },
      }));
  return members.toReversed();
}

/**
 * Every name, string and number of a JSON value with its path. Linear in the value; at most {@link MAX_LEAVES} leaves and
 * {@link MAX_LEAF_DEPTH} levels, `complete` is false when there is more.
 */
export function stringLeaves(value: JsonValue): Leaves {
  const leaves: Leaf[] = [];
  const waiting: { readonly name: string | null; readonly child: Visited }[] = [
    { name: null, child: { path: "", value, depth: 0 } },
  ];
  let complete = true;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { name, child } = next;
    if (leaves.length >= MAX_LEAVES) return { leaves, complete: false };
    if (name !== null) leaves.push({ path: child.path, text: name, kind: "name" });
    if (typeof child.value === "string") leaves.push({ path: child.path, text: child.value, kind: "string" });
    else if (typeof child.value === "number")
      leaves.push({ path: child.path, text: String(child.value), kind: "number" });
    else if (child.depth < MAX_LEAF_DEPTH) for (const member of membersOf(child)) waiting.push(member);
    else if (typeof child.value === "object" && child.value !== null && Object.keys(child.value).length > 0)
      complete = false;
  }
  return { leaves, complete };
}
