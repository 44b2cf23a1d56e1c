import type { AuditEntry } from "./entry.ts";

/** The label of a session, or of a call's data, in an entry. */
export interface EntryLabel {
  /** Sorted, each once. */
  readonly compartments: readonly string[];
  readonly integrity: "trusted" | "untrusted";
}

/** Stands for every compartment of the deployment's vocabulary. */
const EVERY = "*";
/** Longest list of compartments in an entry, in characters. */
const MAX_LIST = 2_048;

function listOf(compartments: readonly string[]): string {
  const text = compartments.join(",");
  return text.length > MAX_LIST ? EVERY : text;
}

/**
 * The members of a `detail` that name the session's label after the entry: `compartments`, names joined by commas, where there are
 * any, and `integrity`, where it is untrusted. A list over 2048 characters is `*`, which stands for every compartment.
 */
export function sessionLabelDetail({ compartments, integrity }: EntryLabel): Record<string, string> {
  return {
    ...(compartments.length === 0 ? {} : { compartments: listOf(compartments) }),
    ...(integrity === "trusted" ? {} : { integrity }),
  };
}

/** The members of a `session_reset`'s `detail` that name what the principal's other sessions have seen, which the reset does not cover. */
export function resetLabelDetail({ compartments, integrity }: EntryLabel): Record<string, string> {
  return {
    ...(compartments.length === 0 ? {} : { principal_compartments: listOf(compartments) }),
    ...(integrity === "trusted" ? {} : { principal_integrity: integrity }),
  };
}

/** What the principal of a `session_reset` has seen after it. */
export function labelAfterReset({ session_sensitivity_after: linear, detail }: AuditEntry): {
  readonly labels: readonly string[];
  readonly untrusted: boolean;
} {
  return {
    labels: [...(linear === null ? [] : [linear]), ...namesIn(detail?.["principal_compartments"])],
    untrusted: detail?.["principal_integrity"] === "untrusted",
  };
}

/** The member of a `tool_call`'s `detail` that names the compartments of its data, where `effective_data_class` does not say all. */
export function dataLabelDetail({ compartments }: EntryLabel): Record<string, string> {
  return compartments.length > 1 ? { data_compartments: listOf(compartments) } : {};
}

/** Every label that an entry names for its session; `*` stands for all. */
export function sessionLabelsOf({ session_sensitivity_after: linear, detail }: AuditEntry): readonly string[] {
  return linear === null ? [] : [linear, ...namesIn(detail?.["compartments"])];
}

/** Every label that an entry names for its call's data. */
export function dataLabelsOf({ effective_data_class: linear, detail }: AuditEntry): readonly string[] {
  return linear === null ? [] : [linear, ...namesIn(detail?.["data_compartments"])];
}

/** Whether the session had seen text of a server without trust when the entry was written. */
export function isUntrusted({ detail }: AuditEntry): boolean {
  return detail?.["integrity"] === "untrusted";
}

function namesIn(list: string | number | undefined): readonly string[] {
  return typeof list === "string" && list !== "" ? list.split(",") : [];
}
