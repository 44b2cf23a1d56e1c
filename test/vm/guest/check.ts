/** What one check in the guest came to. */
export interface Outcome {
  readonly name: string;
  /** What was wrong; null when nothing. */
  readonly failure: string | null;
}

/** Milliseconds one check may take under emulation. */
const CHECK_MS = 300_000;

/** Runs checks one after the other; a check that hangs or throws fails alone. */
export async function runChecks(checks: Readonly<Record<string, () => Promise<void>>>): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error("it did not end")), CHECK_MS);
    try {
      await Promise.race([check(), late.promise]);
      outcomes.push({ name, failure: null });
    } catch (thrown) {
      outcomes.push({ name, failure: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
    } finally {
      clearTimeout(timer);
    }
  }
  return outcomes;
}
