import {
  JournalReader,
  readRecord,
  TipJournalReader,
  type History,
  type HistoryReason,
  type RecoveredInstance,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { asCmcpError } from "@cmcp/boundary";
import type { Journal } from "./journal.ts";

/** Most earlier instances looked at, latest first; that there are more is held against every principal. */
const MAX_INSTANCES = 1_024;

/** What a start finds of one instance before it; `null` of one whose journal cannot be read. */
interface EarlierInstance {
  readonly recovered: RecoveredInstance | null;
  /** What of its journal contradicts itself. */
  readonly flaw: HistoryReason | null;
}

/** What a start finds of the instances before it, earliest first. */
export interface EarlierInstances {
  readonly history: History;
  readonly instances: readonly EarlierInstance[];
  /** The latest, by the host's order, and how many records the store shows of it. */
  readonly latest: { readonly instance: string; readonly records: number } | null;
}

/** What earlier instances' journals establish: read from the host, believed only where it verifies under their keys. */
export async function readEarlierInstances(journal: Pick<Journal, "scan">, own: string): Promise<EarlierInstances> {
  const { names, unreadable } = await instanceNames(journal, own);
  const instances: EarlierInstance[] = [];
  const shown = new Map<string, number>();
  if (unreadable) instances.push({ recovered: null, flaw: "unreadable" });
  if (names.length > MAX_INSTANCES) instances.push({ recovered: null, flaw: "too-many-instances" });
  for (const name of names.slice(-MAX_INSTANCES)) {
    const recovered = await readInstance(journal, name);
    shown.set(name, recovered?.records ?? 0);
    instances.push({ recovered, flaw: flawOf(recovered) });
  }
  const hidden = missingHistory(instances, shown, names.length > MAX_INSTANCES);
  if (hidden !== null) instances.push({ recovered: null, flaw: hidden });
  const reason = instances.find(({ flaw }) => flaw !== null)?.flaw ?? null;
  return {
    history: reason === null ? { state: "complete" } : { state: "incomplete", reason },
    instances,
    latest: latestOf(names, shown),
  };
}

function latestOf(names: readonly string[], shown: ReadonlyMap<string, number>): EarlierInstances["latest"] {
  const instance = names.at(-1);
  return instance === undefined ? null : { instance, records: shown.get(instance) ?? 0 };
}

/** What an instance saw of the one before it and the store does not show after that; of those that are not read nothing is known. */
function missingHistory(
  instances: readonly EarlierInstance[],
  shown: ReadonlyMap<string, number>,
  cut: boolean,
): HistoryReason | null {
  const seen = instances.map(({ recovered }) => recovered?.facts.previous).filter((previous) => previous !== undefined);
  if (seen.some(({ instance, records }) => (shown.get(instance) ?? records) < records)) return "gap";
  return !cut && seen.some(({ instance }) => !shown.has(instance)) ? "missing-instance" : null;
}

function flawOf(recovered: RecoveredInstance | null): HistoryReason | null {
  if (recovered === null) return "unreadable";
  if (recovered.refused > 0) return "refused";
  return recovered.gapless ? null : "gap";
}

/** The instances that the store shows a first record of, in its order, each once. */
async function instanceNames(
  journal: Pick<Journal, "scan">,
  own: string,
): Promise<{ readonly names: readonly string[]; readonly unreadable: boolean }> {
  const names = new Set<string>();
  let unreadable = false;
  const whole = await readable(async () => {
    for await (const bytes of journal.scan({ kind: "instance" })) {
      const instance = readRecord(bytes)?.instance;
      if (instance === undefined) unreadable = true;
      else if (instance !== own) names.add(instance);
    }
  });
  return { names: [...names], unreadable: unreadable || !whole };
}

async function readInstance(journal: Pick<Journal, "scan">, instance: string): Promise<RecoveredInstance | null> {
  // A journal that the host changed is read again, record by record.
  for (const make of [() => new TipJournalReader(jwkThumbprintText), () => new JournalReader(jwkThumbprintText)]) {
    const reader = make();
    const whole = await readable(async () => {
      for await (const bytes of journal.scan({ instance })) reader.add(bytes);
    });
    const recovered = reader.finish();
    if (recovered !== null) return whole ? recovered : { ...recovered, gapless: false };
  }
  return null;
}

/** Whether the host handed over records to the end. What it breaks off is as if absent, and counts as missing. */
async function readable(read: () => Promise<void>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (thrown) {
    if (asCmcpError(thrown, "INTERNAL", "").code !== "AUDIT_STORE_MISMATCH") throw thrown;
    return false;
  }
}
