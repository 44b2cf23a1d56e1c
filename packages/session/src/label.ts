/** Confidentiality: the compartments that data is in, sorted and each once. Data in none is public. */
export type Compartments = readonly string[];

/** Whether text of a server that the catalog does not trust has been seen. */
export type Integrity = "trusted" | "untrusted";

/** What is known of data: who may see it, and whether it may give instructions. */
export interface Label {
  readonly compartments: Compartments;
  readonly integrity: Integrity;
}

/** The label of data that anybody may see and that comes from a trusted source. Every principal starts here. */
export const LOWEST: Label = Object.freeze({ compartments: Object.freeze([]), integrity: "trusted" });

/** The compartments of either. Returns the first argument if it has all of them. */
export function joinCompartments(a: Compartments, b: Compartments): Compartments {
  if (b.every((name) => a.includes(name))) return a;
  return Object.freeze([...new Set([...a, ...b])].sort());
}

/** The least label above both: the compartments of either, and untrusted if either is. Returns the first argument if it is that label. */
export function joinLabels(a: Label, b: Label): Label {
  const compartments = joinCompartments(a.compartments, b.compartments);
  const integrity = b.integrity === "untrusted" ? "untrusted" : a.integrity;
  return compartments === a.compartments && integrity === a.integrity ? a : Object.freeze({ compartments, integrity });
}
