import { Vocabulary, type Label } from "@cmcp/session";

/** The label of data in one built-in compartment, from a trusted source; `public` is none. */
export function labelOf(compartment: string): Label {
  return { compartments: new Vocabulary().compartmentsOf([compartment]), integrity: "trusted" };
}
