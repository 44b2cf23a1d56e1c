export function bad(): string {
  // ruleid: no-predictable-random
  return Math.random().toString(36);
}
export function good(): string {
  // ok: no-predictable-random
  return randomUUID();
}
