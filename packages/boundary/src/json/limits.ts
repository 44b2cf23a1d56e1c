/** Bounds a JSON reader holds before it builds anything. */
export interface JsonLimits {
  /** Encoded size in bytes. */
  readonly maxBytes: number;
  /** Nesting of arrays and objects; a scalar at the top is depth 0. */
  readonly maxDepth: number;
  /** Number of values and keys together. */
  readonly maxItems: number;
}

/** Bounds for a document whose size nothing else limits: 4 MiB, 64 deep, 200 000 values. */
export const DEFAULT_JSON_LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 64, maxItems: 200_000 };
