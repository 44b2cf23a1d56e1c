declare const origin: unique symbol;

/**
 * A value chosen by the host, an agent or a tool server. It is opaque until a bounded parser opens it with {@link
 * examine}
 * and returns a checked value.
 */
export interface Untrusted<T> {
  readonly [origin]: T;
}

/** Marks a value as chosen by someone outside. */
export function untrusted<T>(value: T): Untrusted<T> {
  return value as unknown as Untrusted<T>;
}

/** Opens an untrusted value. Only parsers, hashers and byte movers may call this. */
export function examine<T>(value: Untrusted<T>): T {
  return value as unknown as T;
}
