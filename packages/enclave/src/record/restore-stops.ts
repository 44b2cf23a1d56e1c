import type { SignedKillSwitch } from "@cmcp/audit";
import type { RestoredBlocks } from "@cmcp/limits";
import type { EarlierInstances } from "./earlier-instances.ts";

type Recovered = NonNullable<EarlierInstances["instances"][number]["recovered"]>;

/**
 * The kill switch as earlier instances left it. A trip counts until an operator's unblock that comes after it: later in
 * the same journal, or in an instance that saw that journal. The host orders the journals, and could write one of its
 * own. So only a signature of an operator unblocks, and only an instance's own record says which instance was before
 * it. Where a journal has a flaw, a trip may be missing, and everybody is blocked who was not unblocked since.
 *
 * @param hasSigned whether an operator of the measured configuration signed a statement
 */
export function restoredBlocks(
  { instances }: Pick<EarlierInstances, "instances">,
  hasSigned: (signed: SignedKillSwitch) => boolean,
): RestoredBlocks {
  const recovered = instances.flatMap((found) => found.recovered ?? []);
  const previous = new Map(recovered.map(({ instance, facts }) => [instance, facts.previous?.instance ?? null]));
  const unblocks = recovered.map((found) => ({ instance: found.instance, at: unblocksOf(found, hasSigned) }));
  const blocked = recovered.flatMap(({ instance, killSwitch }) =>
    [...killSwitch]
      .filter(([principal, { trippedAt }]) => {
        if (trippedAt === null) return false;
        return !unblocks.some(({ instance: other, at }) => {
          const unblockedAt = at.get(principal);
          if (unblockedAt === undefined) return false;
          return other === instance ? unblockedAt > trippedAt : isBefore(previous, instance, other);
        });
      })
      .map(([principal]) => principal),
  );
  return { blocked: new Set(blocked), unknownExcept: unblockedSinceFlaw(instances, hasSigned) };
}

/** The principals unblocked after the last flaw; `null` if there is no flaw. */
function unblockedSinceFlaw(
  instances: EarlierInstances["instances"],
  hasSigned: (signed: SignedKillSwitch) => boolean,
): ReadonlySet<string> | null {
  const last = instances.findLastIndex(({ flaw }) => flaw !== null);
  if (last === -1) return null;
  const since = instances.slice(last + 1).flatMap(({ recovered }) => recovered ?? []);
  return new Set(since.flatMap((found) => [...unblocksOf(found, hasSigned).keys()]));
}

/** The last unblock of each principal that an operator signed, by its record's number. */
function unblocksOf(
  { killSwitch }: Recovered,
  hasSigned: (signed: SignedKillSwitch) => boolean,
): ReadonlyMap<string, number> {
  return new Map(
    [...killSwitch].flatMap(([principal, { unblock }]) =>
      unblock !== null && hasSigned(unblock.signed) ? [[principal, unblock.at] as const] : [],
    ),
  );
}

/** Whether the records of `later` say that `instance` was before it, directly or through others. */
function isBefore(previous: ReadonlyMap<string, string | null>, instance: string, later: string): boolean {
  const visited = new Set<string>();
  for (let at = previous.get(later) ?? null; at !== null && !visited.has(at); at = previous.get(at) ?? null) {
    if (at === instance) return true;
    visited.add(at);
  }
  return false;
}
