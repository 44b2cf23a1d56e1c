/** A log as a gateway's instances write it one after the other, in a store of the host's. */
import { SqliteStore } from "../../../../../host-proxy/src/store/sqlite/sqlite-store.ts";
import { WrittenLog, type WrittenBatch } from "../../../../verify/src/testing/written-log.ts";

export class StoredLog extends WrittenLog {
  readonly store: SqliteStore;

  constructor(path: string | null, archive?: string, origin?: string) {
    super(origin);
    this.store = new SqliteStore(path, { durable: false, ...(archive === undefined ? {} : { archive }) });
  }

  protected override async keep(batch: WrittenBatch): Promise<void> {
    await this.store.append(batch);
  }
}
