/** One record where the enclave put it, or where the host says that it put it. */
export interface KeptRecord {
  readonly index: number;
  readonly session: string;
  readonly kind: string;
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** Size of the log and the note of that head. */
export interface KeptHead {
  readonly size: number;
  readonly note: string;
}

/** The log as the host shows it. */
export interface ShownLog {
  readonly records: readonly KeptRecord[];
  /** `null` for an empty log. */
  readonly head: KeptHead | null;
  /** Index of what the host calls the newest snapshot; `undefined` for the one that is. */
  readonly snapshot?: number | null | undefined;
}

/** The record with its leaf or its body changed. */
export function changedRecord(
  record: KeptRecord,
  at: number,
  how: (bytes: Uint8Array, at: number) => Uint8Array,
): KeptRecord {
  return at % 2 === 0
    ? { ...record, leaf: how(record.leaf, at >>> 1) }
    : { ...record, body: how(record.body, at >>> 1) };
}
