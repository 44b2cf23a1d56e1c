export function bad(bearerToken: string, expected: string, key: { secret: Buffer }): boolean {
  // ruleid: constant-time-comparison
  if (key.secret.equals(Buffer.from(expected))) return true;
  // ruleid: constant-time-comparison
  return bearerToken === expected;
}
export function good(token: string | undefined, a: Buffer, b: Buffer): boolean {
  // ok: constant-time-comparison
  if (token === undefined) return false;
  // ok: constant-time-comparison
  return timingSafeEqual(a, b);
}
