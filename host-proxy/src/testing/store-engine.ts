import type { TestContext } from "node:test";
import type { CompactingStore } from "../store/compaction.ts";

/** One engine, as the suites open it. */
export interface StoreEngine {
  readonly name: string;
  /** Runs of the property, each with a store of its own. */
  readonly runs: number;
  /** Whether a second opening sees the same log. */
  readonly shared: boolean;
  /** An empty store. `again` opens it once more, beside the first or after it; `null` where none is shared. */
  create(
    test: TestContext,
  ): Promise<{ readonly store: CompactingStore; readonly again: (() => Promise<CompactingStore>) | null }>;
}
