import { canonicalText, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { TILE_WIDTH, tileAt } from "@cmcp/log/format";
import type { ClaimContext } from "../claim/context.ts";
import type { RestoredSet } from "../session/stored-sets.ts";
import { bodyOf, leafObject } from "./record-json.ts";
import type { LogFiles, ShownLog } from "./shown-log.ts";

/** The record of a provisioning. */
interface FoundProvision {
  readonly index: number;
  readonly leaf: Uint8Array;
  /** `null` where it is not in the export. */
  readonly body: JsonObject | null;
}

/**
 * Holds each set that a storage key brought back to the log: the provisioning that gave it is an earlier record, and where their bodies are
 * there, a signed statement gave it, it was stored, and it names the same tokens and credentials.
 *
 * @throws as the log's files
 */
export async function checkStoredSetsInLog(
  { crypto, list }: ClaimContext,
  { log, files }: { readonly log: ShownLog; readonly files: LogFiles },
  restored: readonly RestoredSet[],
): Promise<void> {
  if (restored.length === 0) return;
  const found = await findProvisions(crypto, files, new Set(restored.flatMap(({ hash, from }) => [hash, from])));
  for (const { entry, hash, from } of restored) {
    const [own, given] = [found.get(hash), found.get(from)];
    const isBefore =
      own !== undefined &&
      given !== undefined &&
      given.index < own.index &&
      (await log.holds(own.leaf, own.index)) &&
      (await log.holds(given.leaf, given.index));
    const problem = isBefore ? problemOf(own.body, given.body) : "the log has no earlier provisioning of it";
    if (problem !== null) list.fail("stored set in log", "LOG_MISMATCH", `entry ${entry}: ${problem}`);
    else if (given?.body === null)
      list.notPerformed(
        "stored set in log",
        `entry ${entry}: record ${given.index} gave it, whose body is not in this export: who signed it is not shown`,
      );
    else
      list.require("stored set in log", true, "LOG_MISMATCH", {
        passed: `entry ${entry}: record ${given?.index ?? 0} gave it, in a signed statement`,
        failed: "",
      });
  }
}

/** What the bodies that are there say against each other. */
function problemOf(own: JsonObject | null, given: JsonObject | null): string | null {
  if (given === null) return null;
  if (given["statement"] === undefined) return "no signed statement gave it";
  if (given["stored"] === undefined || given["restored_from"] !== undefined) return "its provisioning stored none";
  const same = (member: string): boolean => textOf(own?.[member]) === textOf(given[member]);
  return own === null || (same("principals") && same("credentials"))
    ? null
    : "the provisioning that gave it names other tokens or credentials";
}

function textOf(value: JsonValue | undefined): string {
  return canonicalText(value ?? null);
}

/** Looks for the records of provisionings, from the newest back. It reads as much of the leaves as lies behind the oldest of them. */
async function findProvisions(
  crypto: ClaimContext["crypto"],
  files: LogFiles,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, FoundProvision>> {
  const found = new Map<string, FoundProvision>();
  const { size } = files.checkpoint;
  for (let at = Math.ceil(size / TILE_WIDTH) - 1; at >= 0 && found.size < wanted.size; at -= 1) {
    const tile = tileAt(0, at, size);
    if (tile === undefined) continue;
    for (const [place, leaf] of (await files.readEntries(tile)).entries()) {
      const hash = provisionIn(leaf);
      if (hash === null || !wanted.has(hash)) continue;
      const index = at * TILE_WIDTH + place;
      found.set(hash, { index, leaf, body: await bodyOf({ crypto, files, tile }, { index, bodyHash: hash }) });
    }
  }
  return found;
}

/** The body's hash of a provisioning's leaf. Most leaves are others, and are not parsed: the canonical form has no spaces. */
function provisionIn(leaf: Uint8Array): string | null {
  if (!new TextDecoder().decode(leaf).includes('"kind":"provision"')) return null;
  const { kind, body_hash: hash } = leafObject(leaf);
  return kind === "provision" && typeof hash === "string" ? hash : null;
}
