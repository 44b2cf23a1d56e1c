import { CmcpError, asCmcpError, isJsonObject } from "@cmcp/boundary";
import { headerMarksProblem, loadCatalog } from "@cmcp/catalog";
import { prepareSchemas } from "@cmcp/inspection";
import { Vocabulary } from "@cmcp/session";
import { reviewedEntry, serverEntry, type Candidate } from "./entries.ts";
import type { ListedServer } from "./live-server.ts";

/** The entries that an operator asks for, by section; an empty section selects all of it. */
export interface EntrySelection {
  readonly entries: readonly string[];
  readonly resources: readonly string[];
  readonly prompts: readonly string[];
}

const OPTIONS = { entries: "--tool", resources: "--resource", prompts: "--prompt" } as const;

/** The selected entries, and those left out without the operator asking for it. */
export interface SelectedEntries {
  readonly chosen: readonly Candidate[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** Why the gateway could not serve something, whoever reviewed it; `null` when it could. */
function unservable(server: ListedServer, candidate: Candidate): string | null {
  const facts = { displayName: "server", serverName: "server", approvedBy: "nobody@example.org", addedAt: new Date(0) };
  const { entry } = reviewedEntry(server, candidate, facts, {
    domain: "public",
    sensitivity: "public",
    requiresBaa: false,
  });
  try {
    loadCatalog(
      { entries: [], servers: [serverEntry(server, facts)], [candidate.section]: [entry] },
      { developmentMode: true, vocabulary: new Vocabulary() },
    );
    const { input_schema: inputSchema, output_schema: outputSchema = null } = candidate.definition;
    if (!isJsonObject(inputSchema)) return null;
    prepareSchemas({
      toolName: candidate.name,
      inputSchema,
      outputSchema: isJsonObject(outputSchema) ? outputSchema : null,
    });
    return headerMarksProblem(inputSchema);
  } catch (thrown) {
    return asCmcpError(thrown, "INTERNAL", "it cannot be read").message;
  }
}

/**
 * Chooses what is imported. What is named must be there and must be servable. Of the rest, what the gateway could not
 * serve is left out: one bad definition does not keep the others back.
 *
 * @throws CmcpError `USAGE`, `CATALOG_INVALID`.
 */
export function selectEntries(
  server: ListedServer,
  candidates: readonly Candidate[],
  wanted: EntrySelection,
): SelectedEntries {
  for (const section of ["entries", "resources", "prompts"] as const) {
    for (const name of wanted[section])
      if (!candidates.some((one) => one.section === section && one.name === name))
        throw new CmcpError("USAGE", `${OPTIONS[section]} ${name}: the server does not list it`);
  }
  const chosen: Candidate[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const candidate of candidates) {
    const names = wanted[candidate.section];
    if (names.length > 0 && !names.includes(candidate.name)) continue;
    const why = unservable(server, candidate);
    if (why === null) chosen.push(candidate);
    else if (names.length > 0) throw new CmcpError("CATALOG_INVALID", why);
    else leftOut.push({ name: candidate.name, why });
  }
  return { chosen, leftOut };
}
