import type { Owner } from "../../../conformance/policy-tee/target.ts";

/** Runs `work` with an owner of what it starts, and ends all of that. */
export async function owning<T>(work: (owner: Pick<Owner, "after" | "diagnostic">) => Promise<T>): Promise<T> {
  const undo: (() => unknown)[] = [];
  try {
    return await work({
      after: (step: () => unknown) => void undo.push(step),
      diagnostic: (text: string) => void process.stderr.write(text),
    });
  } finally {
    for (const step of undo.toReversed()) await step();
  }
}
